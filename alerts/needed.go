package alerts

import (
	"io/fs"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
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
	files, _ := fs.Glob(FS, "*.rules.yml")
	for _, file := range files {
		data, _ := FS.ReadFile(file)
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

// Needing returns the alerts that need each of the families, by the family: by an expression of
// their own, in an annotation, or by what is recorded from it. A family that none needs is not in
// it.
func Needing(families []string) map[string][]string {
	all, needing := rules(), map[string][]string{}
	for _, family := range families {
		if names := needingOne(family, all); len(names) > 0 {
			needing[family] = names
		}
	}
	return needing
}

func needingOne(family string, all []rule) (names []string) {
	needed := []string{family}
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
