package config

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

// filePath is the flag --config. The file is read before the other flags get their values, and sets
// those that neither the command line nor the environment sets.
type filePath string

// file is a configuration file. Its values are still text; each was decoded once as the flag that
// it sets. The zero value sets nothing.
type file struct {
	name    string
	values  map[string]fileValue // by name of the flag
	targets []fileTarget         // nil without the list targets
}

type fileValue struct {
	line int
	text string // as it would stand on the command line
}

type fileTarget struct {
	line   int
	values map[string]fileValue
}

// BeforeResolve is called by kong when --config was given, by flag or environment.
func (filePath) BeforeResolve(into *file, ctx *kong.Context, path *kong.Path) error {
	flags := ctx.Flags()
	if into.name != "" || !slices.Contains(flags, path.Flag) {
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
	read, err := parseFile(name, data, flags)
	if err != nil {
		return err
	}
	*into = *read
	ctx.AddResolver(into)
	return nil
}

// Validate implements kong.Resolver; parseFile has validated everything.
func (f *file) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. Kong asks it even where a variable is set, which takes
// precedence.
func (f *file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Tag.Envs {
		if _, ok := os.LookupEnv(env); ok {
			return nil, nil
		}
	}
	if v, ok := f.values[flag.Name]; ok {
		return v.text, nil
	}
	return nil, nil
}

func (f *file) origin(line int, key string) string {
	return fmt.Sprintf("%s:%d: key %s", f.name, line, key)
}

// settings returns the settings of one entry of the list targets: the shared ones of abs.*,
// overridden by the entry's own. flags are the command's.
func (t fileTarget) settings(shared *ABS, flags map[string]*kong.Flag) (ABS, error) {
	// kong can decode a value only into the field that it belongs to: that is shared's, which is
	// restored afterwards.
	before := *shared
	defer func() { *shared = before }()
	for name, v := range t.values {
		if err := decodeFlag(flags[name], v.text, flags[name].Target); err != nil {
			return ABS{}, fmt.Errorf("%s: %w", name, err)
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

// decodeFlag decodes text into target, a value of the flag's type.
func decodeFlag(flag *kong.Flag, text string, target reflect.Value) error {
	return flag.Mapper.Decode(&kong.DecodeContext{
		Value: flag.Value,
		Scan:  kong.Scan().PushTyped(text, kong.FlagValueToken),
	}, target)
}

// hasKey reports whether a flag is a setting that a file can have too.
func hasKey(flag *kong.Flag) bool {
	return flag.Name != "config" && len(flag.Tag.Envs) > 0 && !strings.HasPrefix(flag.Name, "targets.")
}

// parseFile parses a file whose keys are the names of flags, nested at the dots. Its error has one
// line FILE:LINE: for each problem.
func parseFile(name string, data []byte, flags []*kong.Flag) (*file, error) {
	p := fileParser{
		file:    &file{name: name, values: map[string]fileValue{}},
		flags:   map[string]*kong.Flag{},
		parents: map[string]bool{},
	}
	for _, f := range flags {
		if !hasKey(f) {
			continue
		}
		p.flags[f.Name] = f
		for i, c := range f.Name {
			if c == '.' {
				p.parents[f.Name[:i]] = true
			}
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return p.file, nil // an empty file sets nothing
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
		p.mapping(doc.Content[0], "", "", p.values)
	}
	return p.file, errors.Join(p.errs...)
}

// yamlError moves the line that the YAML library reports to the front.
func yamlError(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	line := "1"
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		line, text = m[1], text[len(m[0]):]
	}
	return fmt.Errorf("%s:%s: not YAML: %s", name, line, text)
}

type fileParser struct {
	*file
	flags   map[string]*kong.Flag
	parents map[string]bool // prefixes of the names of flags: "abs", "abs.tls"
	errs    []error
}

func (p *fileParser) failf(n *yaml.Node, key, format string, args ...any) {
	origin := fmt.Sprintf("%s:%d", p.name, n.Line)
	if key != "" {
		origin = p.origin(n.Line, key)
	}
	p.errs = append(p.errs, fmt.Errorf("%s: %s", origin, fmt.Sprintf(format, args...)))
}

// mapping parses n, whose keys continue the name of a flag; shown is that name as it stands in the
// file. It descends no deeper than the names of flags do.
func (p *fileParser) mapping(n *yaml.Node, name, shown string, into map[string]fileValue) {
	if n.Kind != yaml.MappingNode {
		p.failf(n, shown, "expected a mapping but got %s", kindOf(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], resolveAlias(n.Content[i+1])
		full, text := strings.TrimPrefix(name+"."+k.Value, "."), strings.TrimPrefix(shown+"."+k.Value, ".")
		if first, twice := lines[k.Value]; twice {
			p.failf(k, text, "given twice, first on line %d", first)
			continue
		}
		lines[k.Value] = k.Line
		flag, isFlag := p.flags[full]
		switch {
		case isFlag:
			if value, ok := p.value(v, text, flag); ok {
				into[full] = fileValue{line: k.Line, text: value}
			}
		case p.parents[full]:
			p.mapping(v, full, text, into)
		case full == "targets" && p.parents["abs"]:
			p.list(v)
		case full == "abs.access-key" || full == "abs.secret-key":
			p.failf(k, text, "keys are not written here; name a file with %s-file", text)
		default:
			p.failf(k, text, "unknown key")
		}
	}
}

func (p *fileParser) list(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		p.failf(n, "targets", "expected a list but got %s", kindOf(n))
		return
	}
	if len(n.Content) == 0 {
		p.failf(n, "targets", "the list is empty")
	}
	for i, entry := range n.Content {
		t := fileTarget{line: entry.Line, values: map[string]fileValue{}}
		p.mapping(resolveAlias(entry), "abs", fmt.Sprintf("targets[%d]", i), t.values)
		p.targets = append(p.targets, t)
	}
}

// value returns the text of a scalar, or of a list for a flag that is repeatable.
func (p *fileParser) value(n *yaml.Node, key string, flag *kong.Flag) (text string, ok bool) {
	switch {
	case n.Tag == "!!null":
		p.failf(n, key, `has no value; write "" for an empty one`)
		return "", false
	case n.Kind == yaml.ScalarNode:
		text = n.Value
	case n.Kind == yaml.SequenceNode && flag.IsCumulative():
		items := make([]string, len(n.Content))
		for i, item := range n.Content {
			item = resolveAlias(item)
			if item.Kind != yaml.ScalarNode {
				p.failf(item, key, "expected a list of values but got %s in it", kindOf(item))
				return "", false
			}
			items[i] = item.Value
		}
		text = kong.JoinEscaped(items, ',')
	default:
		p.failf(n, key, "expected a value but got %s", kindOf(n))
		return "", false
	}
	if err := decodeFlag(flag, text, reflect.New(flag.Target.Type()).Elem()); err != nil {
		p.failf(n, key, "%s", err)
		return "", false
	}
	if flag.Enum != "" && !flag.EnumMap()[text] {
		p.failf(n, key, "must be one of %s but got %q", strings.Join(flag.EnumSlice(), ", "), text)
		return "", false
	}
	return text, true
}

func resolveAlias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func kindOf(n *yaml.Node) string {
	return map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "a value"}[n.Kind]
}
