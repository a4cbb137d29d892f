// Package configfile reads and writes YAML files whose keys are the names of flags, nested at the
// dots. The list targets has entries with the settings of one target each: the keys of abs without
// that prefix, and those of some sections. A file is read before the flags get their values, so
// that kong decodes its values as those of the command line.
package configfile

import (
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Path is the flag --config. The file is read before the other flags get their values, and sets
// those that neither the command line nor the environment sets.
type Path string

// File is a configuration file. Its values are still text; each was decoded once as the flag that
// it sets. The zero value sets nothing.
type File struct {
	Name    string
	Sum     [sha256.Size]byte
	Values  map[string]Value // by name of the flag
	Targets []Target         // nil without the list targets
}

// Value is the value of a flag.
type Value struct {
	Line int
	Text string // as it would stand on the command line
}

// Target is an entry of the list targets.
type Target struct {
	Line   int
	Values map[string]Value // by name of the flag
}

// BeforeResolve is called by kong when --config was given, by flag or environment.
func (Path) BeforeResolve(into *File, ctx *kong.Context, path *kong.Path) error {
	flags := ctx.Flags()
	if into.Name != "" || !slices.Contains(flags, path.Flag) {
		return nil // another command's --config, which has the same variable
	}
	name := fmt.Sprint(ctx.FlagValue(path.Flag))
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	read, err := Parse(name, data, flags)
	if err != nil {
		return err
	}
	read.Sum = sha256.Sum256(data)
	*into = *read
	ctx.AddResolver(into)
	return nil
}

// Validate implements kong.Resolver; Parse has validated everything.
func (f *File) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. Kong asks it even where a variable is set, which takes
// precedence.
func (f *File) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Tag.Envs {
		if _, ok := os.LookupEnv(env); ok {
			return nil, nil
		}
	}
	if v, ok := f.Values[flag.Name]; ok {
		return v.Text, nil
	}
	return nil, nil
}

// Origin names a key as the user finds it.
func (f *File) Origin(line int, key string) string {
	return fmt.Sprintf("%s:%d: key %s", f.Name, line, key)
}

// TargetKey is the key of a flag in the entry of the list targets that has an index.
func TargetKey(index int, flag string) string {
	return fmt.Sprintf("targets[%d].%s", index, strings.TrimPrefix(flag, "abs."))
}

// Set sets flags of the command, by name, to what the entry has of its own; a list or a map as a
// whole. Kong can decode a value only into the field that it belongs to.
func (t Target) Set(flags map[string]*kong.Flag) error {
	for name, v := range t.Values {
		flags[name].Target.SetZero() // kong adds to a list or a map
		if err := decode(flags[name], v.Text, flags[name].Target); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// decode decodes text into target, a value of the flag's type.
func decode(flag *kong.Flag, text string, target reflect.Value) error {
	return flag.Mapper.Decode(&kong.DecodeContext{
		Value: flag.Value,
		Scan:  kong.Scan().PushTyped(text, kong.FlagValueToken),
	}, target)
}

// hasKey reports whether a flag is a setting that a file can have too.
func hasKey(flag *kong.Flag) bool { return len(flag.Tag.Envs) > 0 && !Keyless(flag.Name) }

// Keyless reports whether a setting is none of the file: the file's own name, and which shard this
// process is.
func Keyless(name string) bool { return name == "config" || strings.HasPrefix(name, "targets.") }
