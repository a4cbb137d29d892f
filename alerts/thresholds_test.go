package alerts

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write thresholds.rules.yml anew")

// thresholdsFile is the file that is made from the table.
const thresholdsFile = "thresholds.rules.yml"

// TestReferenceThresholds compares the rule file with the table; make docs writes it anew.
func TestReferenceThresholds(t *testing.T) {
	want := thresholdRules()
	if *update {
		if err := os.WriteFile(thresholdsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := fs.ReadFile(FS, thresholdsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not current: go test ./alerts -run Reference -update", thresholdsFile)
	}
}

func TestThresholds(t *testing.T) {
	name := regexp.MustCompile(`^abs:threshold_[a-z_]+$`)
	alert := regexp.MustCompile(`^ABS[A-Z]\w+(, ABS[A-Z]\w+)*: .*\.$`)
	units := []string{Seconds, Ratio, Requests, Tokens, Windows}
	seen := map[string]bool{}
	for _, th := range Thresholds() {
		if !name.MatchString(th.Name) || seen[th.Name] {
			t.Errorf("%q is no name, or there twice", th.Name)
		}
		seen[th.Name] = true
		if !alert.MatchString(th.Help) || strings.Contains(th.Help, "\n") {
			t.Errorf("%s: %q names no alert, or is no sentence", th.Name, th.Help)
		}
		if !slices.Contains(units, th.Unit) {
			t.Errorf("%s has the unit %q", th.Name, th.Unit)
		}
		for _, unit := range units {
			if strings.HasSuffix(th.Name, "_"+unit) && unit != th.Unit {
				t.Errorf("%s is in %s", th.Name, th.Unit)
			}
		}
		if found, ok := FindThreshold(th.Name); !ok || found != th {
			t.Errorf("%s is found as %+v, %v", th.Name, found, ok)
		}
	}
	if found, ok := FindThreshold("abs:threshold_of_nothing"); ok {
		t.Errorf("a threshold that is not there is %+v", found)
	}
}

const thresholdsHead = `# Generated from the table in thresholds.go by "make docs". Where the rules run, edit this file.
#
# All settings of the rules are in this file. Each threshold is a recorded series without labels,
# and the rules in the other files compare with it. Change the numbers in ''vector(...)''. Keep the
# names, and add no labels. If a threshold is missing, ABSThresholdsMissing pages, because the
# alerts that use it cannot fire.
#
# The one exception is which scrape jobs are exporters, because no series can hold a pattern. It is
# job=~"abs|.*abs-exporter.*" in health.rules.yml, once in ABSExporterDown and twice in
# ABSExporterAbsent. Name your job so that it matches (a job named abs does), or replace the pattern
# in all three.
groups:
  - name: abs-exporter-settings
    # Recorded often enough for every other rule, whatever evaluation_interval is.
    interval: 1m
    rules:
      # For the links in alerts: the address of your Grafana, without a slash at the end.
      - record: abs:grafana_info
        expr: vector(1)
        labels:
          url: https://grafana.example.com
`

// thresholdRules returns thresholds.rules.yml.
func thresholdRules() string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(thresholdsHead, "''", "`"))
	for _, th := range Thresholds() {
		b.WriteString("\n" + comment(th.Help, "      # "))
		fmt.Fprintf(&b, "      - record: %s\n        expr: vector(%s)\n", th.Name, strconv.FormatFloat(th.Value, 'f', -1, 64))
	}
	return b.String()
}

// comment returns a text as lines of at most 100 columns that begin with a prefix.
func comment(text, prefix string) string {
	var b strings.Builder
	line := prefix
	for _, word := range strings.Fields(text) {
		switch {
		case line == prefix:
			line += word
		case len(line)+1+len(word) > 100:
			b.WriteString(line + "\n")
			line = prefix + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}
