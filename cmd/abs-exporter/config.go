package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile is the flag --config. Its file is read before the other flags get their
// values, and fills those that neither the command line nor the environment gives.
type configFile string

// configuration is a file given by --config, its values still text, each held against
// the flag that it is for.
type configuration struct {
	name    string
	values  map[string]fileValue // by name of the flag
	targets []fileTarget
}

type fileValue struct {
	line int
	text string // as the flag would take it
}

type fileTarget struct {
	line   int
	values map[string]fileValue
}

// fileError is what is wrong with a configuration file: every line of it.
type fileError struct{ err error }

func (e *fileError) Error() string { return e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// BeforeResolve is called by kong when --config was given, by flag or environment.
func (configFile) BeforeResolve(in *invocation, ctx *kong.Context, path *kong.Path) error {
	flags := ctx.Flags()
	if in.file != nil || !slices.Contains(flags, path.Flag) {
		return nil // another command's --config, named by the same variable
	}
	name := fmt.Sprint(ctx.FlagValue(path.Flag))
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return &fileError{fmt.Errorf("--config: %w", err)}
	}
	file, err := readConfiguration(name, data, flags)
	if err != nil {
		return &fileError{err}
	}
	in.file = file
	ctx.AddResolver(file)
	return nil
}

// Validate implements kong.Resolver; readConfiguration has validated everything.
func (c *configuration) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. Kong asks it after the environment was read, so
// that it has to stand back itself.
func (c *configuration) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Tag.Envs {
		if _, ok := os.LookupEnv(env); ok {
			return nil, nil
		}
	}
	if v, ok := c.values[flag.Name]; ok {
		return v.text, nil
	}
	return nil, nil
}

// target gives the settings of one entry of the list targets: those of abs.*, and the
// entry's own over them. flags are the command's.
func (t fileTarget) target(shared *absFlags, flags map[string]*kong.Flag) (absFlags, error) {
	// kong knows how to read a value only into the field that it belongs to: that is
	// shared's, which is put back afterwards.
	before := *shared
	defer func() { *shared = before }()
	for name, v := range t.values {
		if err := decodeFlag(flags[name], v.text, flags[name].Target); err != nil {
			return absFlags{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return *shared, nil
}

func flagsByName(flags []*kong.Flag) map[string]*kong.Flag {
	m := make(map[string]*kong.Flag, len(flags))
	for _, f := range flags {
		m[f.Name] = f
	}
	return m
}

// decodeFlag reads text into target, a value of the flag's type.
func decodeFlag(flag *kong.Flag, text string, target reflect.Value) error {
	return flag.Mapper.Decode(&kong.DecodeContext{
		Value: flag.Value,
		Scan:  kong.Scan().PushTyped(text, kong.FlagValueToken),
	}, target)
}

// readConfiguration reads a file whose keys are the names of flags, nested at the
// dots. Its error holds one line FILE:LINE: for each thing that is wrong.
func readConfiguration(name string, data []byte, flags []*kong.Flag) (*configuration, error) {
	r := configReader{
		configuration: &configuration{name: name, values: map[string]fileValue{}},
		flags:         map[string]*kong.Flag{},
		parents:       map[string]bool{"": true},
	}
	for _, f := range flags {
		if f.Name == "config" || f.Name == "help" || len(f.Tag.Envs) == 0 {
			continue // no setting
		}
		r.flags[f.Name] = f
		for i, c := range f.Name {
			if c == '.' {
				r.parents[f.Name[:i]] = true
			}
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return r.configuration, nil // an empty file sets nothing
	case err != nil:
		return nil, yamlError(name, err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, fmt.Errorf("%s:%d: a second document begins here; only one is read", name, more.Line)
	case !errors.Is(err, io.EOF):
		return nil, yamlError(name, err)
	}
	if len(doc.Content) == 1 && doc.Content[0].Tag != "!!null" {
		r.mapping(doc.Content[0], "", "", r.values)
	}
	return r.configuration, errors.Join(r.errs...)
}

// yamlError puts the line that the YAML library names to the front.
func yamlError(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := "1"
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, text = m[1], text[len(m[0]):]
	}
	return fmt.Errorf("%s:%s: not YAML: %s", name, line, text)
}

type configReader struct {
	*configuration
	flags   map[string]*kong.Flag
	parents map[string]bool // what flags are nested under: "abs", "abs.tls"
	errs    []error
}

func (r *configReader) failf(n *yaml.Node, key, format string, args ...any) {
	where := fmt.Sprintf("%s:%d: ", r.name, n.Line)
	if key != "" {
		where += "key " + key + ": "
	}
	r.errs = append(r.errs, fmt.Errorf("%s%s", where, fmt.Sprintf(format, args...)))
}

// mapping reads n, whose keys continue the name of a flag; shown is that name as the
// file has it. It descends no deeper than names of flags go.
func (r *configReader) mapping(n *yaml.Node, name, shown string, into map[string]fileValue) {
	if n.Kind != yaml.MappingNode {
		r.failf(n, shown, "expected a mapping but got %s", kindOf(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], resolveAlias(n.Content[i+1])
		full, text := join(name, k.Value), join(shown, k.Value)
		if first, twice := lines[k.Value]; twice {
			r.failf(k, text, "given twice, first on line %d", first)
			continue
		}
		lines[k.Value] = k.Line
		flag, isFlag := r.flags[full]
		switch {
		case isFlag:
			if value, ok := r.value(v, text, flag); ok {
				into[full] = fileValue{line: k.Line, text: value}
			}
		case r.parents[full]:
			r.mapping(v, full, text, into)
		case full == "targets" && r.parents["abs"]:
			r.list(v)
		case full == "abs.access-key" || full == "abs.secret-key":
			r.failf(k, text, "keys are not written here; name a file with %s-file", text)
		default:
			r.failf(k, text, "unknown key")
		}
	}
}

func (r *configReader) list(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		r.failf(n, "targets", "expected a list but got %s", kindOf(n))
		return
	}
	if len(n.Content) == 0 {
		r.failf(n, "targets", "the list is empty")
	}
	for i, entry := range n.Content {
		entry = resolveAlias(entry)
		t := fileTarget{line: n.Content[i].Line, values: map[string]fileValue{}}
		r.mapping(entry, "abs", fmt.Sprintf("targets[%d]", i), t.values)
		r.targets = append(r.targets, t)
	}
}

// value is the text of a scalar, or of a list for a flag that is repeatable.
func (r *configReader) value(n *yaml.Node, key string, flag *kong.Flag) (string, bool) {
	var parts []string
	switch {
	case n.Kind == yaml.ScalarNode:
		parts = []string{n.Value}
		if n.Tag == "!!null" {
			r.failf(n, key, `has no value; write "" for an empty one`)
			return "", false
		}
	case n.Kind == yaml.SequenceNode && flag.IsCumulative():
		for _, item := range n.Content {
			item = resolveAlias(item)
			if item.Kind != yaml.ScalarNode {
				r.failf(item, key, "expected a list of values but got %s in it", kindOf(item))
				return "", false
			}
			parts = append(parts, item.Value)
		}
	default:
		r.failf(n, key, "expected a value but got %s", kindOf(n))
		return "", false
	}
	text := kong.JoinEscaped(parts, ',')
	if n.Kind == yaml.ScalarNode {
		text = n.Value
	}
	if err := decodeFlag(flag, text, reflect.New(flag.Target.Type()).Elem()); err != nil {
		r.failf(n, key, "%s", err)
		return "", false
	}
	if flag.Enum != "" && !flag.EnumMap()[text] {
		r.failf(n, key, "must be one of %s but got %q", strings.Join(flag.EnumSlice(), ", "), text)
		return "", false
	}
	return text, true
}

func join(name, key string) string {
	if name == "" {
		return key
	}
	return name + "." + key
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a value"
	}
}
