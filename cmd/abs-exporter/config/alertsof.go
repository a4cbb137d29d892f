package config

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// rule is an alert rule or a recording rule of those that the binary carries.
type rule struct {
	Alert  string `yaml:"alert"`
	Record string `yaml:"record"`
	Expr   string `yaml:"expr"`
	// Annotations have queries of their own.
	Annotations map[string]string `yaml:"annotations"`
}

// matches reports whether an expression of the rule has a word.
func (r *rule) matches(word *regexp.Regexp) bool {
	found := word.MatchString(r.Expr)
	for _, text := range r.Annotations {
		found = found || word.MatchString(text)
	}
	return found
}

// rules returns all rules. They are parsed by the tests, too: an error is impossible.
func rules() (all []rule) {
	files, _ := fs.Glob(alerts.FS, "*.rules.yml")
	for _, file := range files {
		data, _ := alerts.FS.ReadFile(file)
		var parsed struct {
			Groups []struct{ Rules []rule }
		}
		_ = yaml.Unmarshal(data, &parsed)
		for _, group := range parsed.Groups {
			all = append(all, group.Rules...)
		}
	}
	return all
}

// alertsOf returns the alerts that need a family: by an expression of their own, in an annotation,
// or by what is recorded from it.
func alertsOf(f *metrics.Family, all []rule) (names []string) {
	needed := []string{f.Name}
	for i := 0; i < len(needed); i++ {
		word := regexp.MustCompile(`(^|[^\w:])` + regexp.QuoteMeta(needed[i]) + `($|[^\w:])`)
		for _, r := range all {
			switch {
			case !r.matches(word):
			case r.Alert != "" && !slices.Contains(names, r.Alert):
				names = append(names, r.Alert)
			case r.Record != "" && !slices.Contains(needed, r.Record):
				needed = append(needed, r.Record)
			}
		}
	}
	slices.Sort(names)
	return names
}

// excludesNeeded warns of families that are left out although alerts need them.
func (v *validation) excludesNeeded(target int, t *Target) {
	if len(t.Excluded) == 0 {
		return
	}
	all := rules()
	for _, f := range t.Excluded {
		if names := alertsOf(f, all); len(names) > 0 {
			v.warn(target, "series.exclude-families", "leaves out "+f.Name+", which alert rules need: "+strings.Join(names, ", "),
				"these alerts cannot fire, or lack what they say, for this target")
		}
	}
}
