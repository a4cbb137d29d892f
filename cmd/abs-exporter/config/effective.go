package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
)

// Effective is a setting as it is in effect, for people to read. No value is a secret: keys are in
// files or in variables that are not shown, and what a URL has before its host or after ? is
// hidden.
type Effective struct {
	Name, Value string // the value as it would be written after the flag
	Origin      string // "default", or where the user gave it

	kind  yaml.Kind // of the value in a configuration file: a list, a mapping, or 0 for a scalar
	items []string  // of a list, or of a mapping, each name=value
}

// newEffective returns a setting whose value is as text, which is that of the flag.
func newEffective(name, text, origin string, flag *kong.Flag) Effective {
	e := Effective{Name: name, Origin: origin}
	show := hidePassword
	switch {
	case flag.PlaceHolder == "REGEXP": // :// and ? have other meanings in it
		show = func(text string) string { return text }
	case flag.Tag.Has("file"):
		show = absolute
	}
	separator := flag.Tag.Sep
	switch {
	case flag.IsMap():
		e.kind, separator = yaml.MappingNode, flag.Tag.MapSep
		ofValue := show
		show = func(item string) string {
			name, value, _ := strings.Cut(item, "=")
			return name + "=" + ofValue(value)
		}
	case flag.IsCumulative():
		e.kind = yaml.SequenceNode
	default:
		e.Value = show(text)
		return e
	}
	for _, item := range kong.SplitEscaped(text, separator) {
		e.items = append(e.items, show(item))
	}
	e.Value = kong.JoinEscaped(e.items, separator)
	return e
}

// absolute returns a path as it is for whoever reads it elsewhere.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		return full
	}
	return path
}

// effective returns the settings of a command that have a value, by name; those of the entries of
// the list targets follow.
func (v *validation) effective() []Effective {
	var all []Effective
	for _, name := range slices.Sorted(maps.Keys(v.flags)) {
		flag := v.flags[name]
		if name == "help" || len(flag.Tag.Envs) == 0 && name != "config" {
			continue // no setting
		}
		origin := "default"
		if v.origins.given(name) {
			origin = v.origins.of(noTarget, name)
		}
		// An empty value may be a choice too, such as that of no state directory.
		if value := textOf(flag); origin != "default" || value != "" && flag.HasDefault {
			all = append(all, newEffective(name, value, origin, flag))
		}
	}
	for _, env := range []string{envAccessKey, envSecretKey} {
		if os.Getenv(env) != "" {
			all = append(all, Effective{Name: env, Value: "(hidden)", Origin: "the environment"})
		}
	}
	for i, t := range v.origins.file.Targets {
		for _, name := range slices.Sorted(maps.Keys(t.Values)) {
			all = append(all, newEffective(configfile.TargetKey(i, name), t.Values[name].Text, v.origins.of(i, name), v.flags[name]))
		}
	}
	return all
}

// YAML returns the settings in effect as a configuration file has them, each with where it is from.
// Keys of ABS are not in it: they are in files or in variables.
func (s *Settings) YAML() ([]byte, error) {
	var all []configfile.Setting
	for _, e := range s.Effective {
		if !strings.HasPrefix(e.Name, envPrefix) && !configfile.Keyless(e.Name) {
			all = append(all, configfile.Setting{Key: e.Name, Comment: e.Origin, Kind: e.kind, Text: e.Value, Items: e.items})
		}
	}
	return configfile.Marshal(all)
}

// urlSecret matches what may be secret in a URL: user name and password, and the query.
var urlSecret = regexp.MustCompile(`(://)[^/?#]*@|(\?)\S*`)

// hidePassword hides what may be secret in the value of a setting that is a URL.
func hidePassword(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	return urlSecret.ReplaceAllStringFunc(value, func(secret string) string {
		if secret[0] == '?' {
			return "?(hidden)"
		}
		return "://(hidden)@"
	})
}

// values returns the values of all settings outside of the list targets.
func (v *validation) values() map[string]string {
	all := map[string]string{}
	for name, flag := range v.flags {
		all[name] = textOf(flag)
	}
	return all
}

// AtRestart returns the settings, as the user would write them, that differ in o and take effect at
// a restart only.
func (s *Settings) AtRestart(o *Settings) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		if s.values[name] != o.values[name] && !reloaded(name) {
			names = append(names, "--"+name)
		}
	}
	return names
}

// KeepAtRestart shows the settings that take effect at a restart only as they were at the start,
// which are those of o.
func (s *Settings) KeepAtRestart(o *Settings) {
	var shared, others []Effective // the others are keys in variables, and those of targets
	atRestart := func(e Effective) bool { return e.isShared() && !reloaded(e.Name) }
	for _, e := range s.Effective {
		switch {
		case !e.isShared():
			others = append(others, e)
		case !atRestart(e):
			shared = append(shared, e)
		}
	}
	for _, e := range o.Effective {
		if !atRestart(e) {
			continue
		}
		if s.values[e.Name] != o.values[e.Name] {
			e.Origin += "; changed since, takes effect at a restart"
		}
		shared = append(shared, e)
	}
	slices.SortFunc(shared, func(a, b Effective) int { return strings.Compare(a.Name, b.Name) })
	s.Effective = slices.Concat(shared, others)
}

// isShared reports whether it is no key in a variable, and none of an entry of the list targets.
func (e *Effective) isShared() bool {
	return !strings.HasPrefix(e.Name, envPrefix) && !strings.HasPrefix(e.Name, "targets[")
}

// reloaded reports whether a setting takes effect when the configuration is read again.
func reloaded(name string) bool {
	section, _, _ := strings.Cut(name, ".")
	switch section {
	case "abs", "collect", "forensics", "audit", "admin":
		return true
	case "series":
		return name != "series.token-key-file"
	default:
		return name == "log.level" || name == "log.events"
	}
}

// pairs returns the entries of a map, each name=value, by name.
func pairs[V any](values map[string]V) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, fmt.Sprintf("%s=%v", name, values[name]))
	}
	return all
}

// textOf returns the value of a flag, about as it would be written.
func textOf(flag *kong.Flag) string {
	switch value := flag.Target.Interface().(type) {
	case time.Duration:
		text := value.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text
	case ByteSize:
		return fmt.Sprintf("%dB", value)
	case []string:
		return kong.JoinEscaped(value, flag.Tag.Sep)
	case map[string]string:
		return kong.JoinEscaped(pairs(value), flag.Tag.MapSep)
	case map[string]int:
		return kong.JoinEscaped(pairs(value), flag.Tag.MapSep)
	default:
		return fmt.Sprint(value)
	}
}
