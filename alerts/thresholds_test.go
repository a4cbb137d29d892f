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

// TestReferenceThresholds compares the rule files that are made from the table with it; make docs
// writes them anew.
func TestReferenceThresholds(t *testing.T) {
	for file, want := range map[string]string{
		"thresholds.rules.yml": thresholdRules(), "thresholds-check.rules.yml": thresholdCheck(),
	} {
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := fs.ReadFile(FS, file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not current: go test ./alerts -run Reference -update", file)
		}
	}
}

func TestThresholds(t *testing.T) {
	name := regexp.MustCompile(`^abs:threshold_[a-z_]+$`)
	alert := regexp.MustCompile(`^ABS[A-Z]\w+(, ABS[A-Z]\w+)*: .*\.$`)
	units := []string{Seconds, Ratio, Requests, Restarts, Tokens, Types, Windows}
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
# All settings of the rules are in this file. Each threshold is a recorded series, and the rules in
# the other files compare with it. Change the numbers in ''vector(...)'', and keep the names. If a
# threshold is missing, ABSThresholdsMissing pages, because the alerts that use it cannot fire. The
# rules may run more than once on the same series, as on a pair of rulers: then each needs the same
# numbers.
#
# The one exception is which scrape jobs are exporters, because no series can hold a pattern. It is
# job=~"abs|.*abs-exporter.*" in health.rules.yml. Name your job so that it matches (a job named abs
# does), or let ''abs-exporter assets --job-pattern'' write another pattern.
#
# ''abs-exporter assets --grafana-url'' writes the address of your Grafana below, and --runbook-url
# where the runbooks are into all rules.
groups:
  - name: abs-exporter-settings
    # Recorded often enough for every other rule, whatever evaluation_interval is.
    interval: 1m
    rules:
      # For the links in alerts: the address of your Grafana, without a slash at the end, and the name
      # of the data source there that has these series; default is Grafana's default.
      - record: abs:grafana_info
        expr: vector(1)
        labels:
          url: https://grafana.example.com
          datasource: default

      # ABSExporterAbsent: targets that have to report. For a target in this list it fires until
      # the target reports, or is taken out of the list; for any other, for 6 hours. One line a
      # target, with its name, and vector(1) in place of vector(0).
      - record: abs:expected_target
        expr: |-
          label_replace(vector(0), "target", "production", "", "") > 0
          or label_replace(vector(0), "target", "staging", "", "") > 0
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

const checkHead = `# Generated from the table in thresholds.go by "make docs". Nothing in this file is a setting.
groups:
  - name: abs-exporter-thresholds
    rules:
      - alert: ABSThresholdsMissing
        expr: |-
          `

const checkEnd = `
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: A threshold of abs-exporter's alert rules is missing, or has two values
          description: >-
            At least one of the series abs:threshold_* is not recorded, so the alerts that compare with it cannot fire, or two
            copies of it differ, and the larger number counts. Load thresholds.rules.yml together with the other rules, with all
            its names, and where the rules run more than once, the same file everywhere.
          runbook_url: https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks/ABSThresholdsMissing.md
          dashboard_url: >-
            {{ range query "topk(1, group by (url) (abs:grafana_info))" }}{{ .Labels.url }}{{ end }}/d/abs-exporter-health?{{ range query "topk(1, group by (datasource) (abs:grafana_info))" }}var-datasource={{ .Labels.datasource | urlquery }}{{ end }}
`

// thresholdCheck returns thresholds-check.rules.yml, which is a file of its own, so that it fires
// where nobody loads the thresholds.
func thresholdCheck() string {
	var each []string
	for _, th := range Thresholds() {
		each = append(each, strings.ReplaceAll("absent(X)\n          or max(X) != min(X)", "X", th.Name))
	}
	return checkHead + strings.Join(each, "\n          or ") + checkEnd
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
