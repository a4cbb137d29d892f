package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
)

// origins is where each setting was given.
type origins struct {
	flags map[string]bool   // names of the flags on the command line
	env   map[string]string // names of flags to their variables in the environment
	file  *configfile.File
}

func newOrigins(ctx *kong.Context, f *configfile.File) origins {
	o := origins{flags: map[string]bool{}, env: map[string]string{}, file: f}
	for _, path := range ctx.Path {
		if path.Flag != nil && !path.Resolved {
			o.flags[path.Flag.Name] = true
		}
	}
	for _, flag := range ctx.Flags() {
		for _, env := range flag.Tag.Envs {
			if _, ok := os.LookupEnv(env); ok {
				o.env[flag.Name] = env
			}
		}
	}
	return o
}

// given reports whether the setting was given anywhere outside the list targets.
func (o origins) given(name string) bool {
	_, inFile := o.file.Values[name]
	return o.flags[name] || o.env[name] != "" || inFile
}

// shared reports whether a setting of an entry of the list targets was given, and not in the entry.
func (o origins) shared(target int, name string) bool {
	_, own := o.file.Targets[target].Values[name]
	return !own && o.given(name)
}

// of names a setting as the user wrote it: the flag, the variable, or the file's line and key.
// target is its index in the list targets, or noTarget.
func (o origins) of(target int, name string) string {
	if strings.HasPrefix(name, "OTEL_") {
		return name // a variable without a flag
	}
	if target != noTarget {
		t := o.file.Targets[target]
		key := configfile.TargetKey(target, name)
		own, isOwn := t.Values[name]
		switch {
		case isOwn:
			return o.file.Origin(own.Line, key)
		case !o.given(name): // it is missing in the entry; a shared one is wrong where it stands
			return o.file.Origin(t.Line, key)
		}
	}
	shared, inFile := o.file.Values[name]
	switch env := o.env[name]; {
	case o.flags[name]:
	case env != "":
		return fmt.Sprintf("--%s (from %s)", name, env)
	case inFile:
		return o.file.Origin(shared.Line, name)
	}
	return "--" + name
}
