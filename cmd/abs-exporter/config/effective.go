package config

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Effective is a setting as it is in effect, for people to read. No value is a secret: URLs with a
// password are refused, and keys are in files or in variables that are not shown.
type Effective struct {
	Name, Value string
	Origin      string // "default", or where the user gave it
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
		if value := textOf(flag); value != "" && (origin != "default" || flag.HasDefault) {
			all = append(all, Effective{name, value, origin})
		}
	}
	for _, env := range []string{envAccessKey, envSecretKey} {
		if os.Getenv(env) != "" {
			all = append(all, Effective{env, "(hidden)", "the environment"})
		}
	}
	for i, t := range v.origins.file.targets {
		for _, name := range slices.Sorted(maps.Keys(t.values)) {
			all = append(all, Effective{
				fmt.Sprintf("targets[%d].%s", i, strings.TrimPrefix(name, "abs.")), t.values[name].text, v.origins.of(i, name),
			})
		}
	}
	return all
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
		return strings.Join(value, ",")
	case map[string]string:
		var pairs []string
		for _, k := range slices.Sorted(maps.Keys(value)) {
			pairs = append(pairs, k+"="+value[k])
		}
		return strings.Join(pairs, ";")
	default:
		return fmt.Sprint(value)
	}
}
