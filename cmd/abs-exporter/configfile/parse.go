package configfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/cmdline"
)

// Parse parses a file whose keys are the names of flags, nested at the dots. Its error has one
// line FILE:LINE: for each problem.
func Parse(name string, data []byte, flags []*kong.Flag) (*File, error) {
	p := parser{
		File:    &File{Name: name, Values: map[string]Value{}},
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
		return p.File, nil // an empty file sets nothing
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
		p.mapping(doc.Content[0], "", "", p.Values)
	}
	return p.File, errors.Join(p.errs...)
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

type parser struct {
	*File
	flags   map[string]*kong.Flag
	parents map[string]bool // prefixes of the names of flags: "abs", "abs.tls"
	errs    []error
}

func (p *parser) failf(n *yaml.Node, key, format string, args ...any) {
	origin := fmt.Sprintf("%s:%d", p.Name, n.Line)
	if key != "" {
		origin = p.Origin(n.Line, key)
	}
	p.errs = append(p.errs, fmt.Errorf("%s: %s", origin, fmt.Sprintf(format, args...)))
}

// mapping parses n, whose keys continue the name of a flag; shown is that name as it stands in the
// file. It descends no deeper than the names of flags do.
func (p *parser) mapping(n *yaml.Node, name, shown string, into map[string]Value) {
	if n.Kind != yaml.MappingNode {
		p.failf(n, shown, "expected a mapping but got %s", kindOf(n))
		return
	}
	lines := map[string]int{}
	ofEntry := name == "abs" && strings.HasPrefix(shown, "targets[")
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
				into[full] = Value{Line: k.Line, Text: value}
			}
		case p.parents[full]:
			p.mapping(v, full, text, into)
		case full == "targets" && p.parents["abs"]:
			p.list(v)
		case ofEntry && k.Value == "series" && p.tokenKeyOfEntry(v, text):
		case ofEntry && slices.Contains(sections(), k.Value):
			p.mapping(v, k.Value, text, into)
		case full == "abs.access-key" || full == "abs.secret-key":
			p.failf(k, text, "keys are not written here; name a file with %s-file", text)
		default:
			p.failf(k, text, "unknown key%s", p.similarKey(full, text))
		}
	}
}

// similarKey suggests a key in place of one that does not exist, and stands in the file as shown.
// An entry of the list targets has the keys of abs without their prefix, and those of sections.
func (p *parser) similarKey(name, shown string) string {
	known := slices.Concat(slices.Collect(maps.Keys(p.flags)), slices.Collect(maps.Keys(p.parents)), []string{"targets"})
	if !strings.HasPrefix(shown, "targets[") {
		return cmdline.Suggestion(name, known)
	}
	var ofEntry []string
	for _, key := range known {
		section, _, _ := strings.Cut(key, ".")
		if own, isOwn := strings.CutPrefix(key, "abs."); isOwn {
			ofEntry = append(ofEntry, own)
		} else if slices.Contains(sections(), section) {
			ofEntry = append(ofEntry, key)
		}
	}
	return cmdline.Suggestion(strings.TrimPrefix(name, "abs."), ofEntry)
}

// sections are what an entry of the list targets may have of its own beside the keys of abs.
func sections() []string { return []string{"collect", "forensics", "series"} }

// tokenKeyOfEntry reports the one key of series that is not for one target: a token has one id.
func (p *parser) tokenKeyOfEntry(n *yaml.Node, shown string) (found bool) {
	const key = "token-key-file"
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			p.failf(n.Content[i], shown+"."+key, "is for all targets: set series.%s outside of the list", key)
			return true
		}
	}
	return false
}

func (p *parser) list(n *yaml.Node) {
	if n.Kind != yaml.SequenceNode {
		p.failf(n, "targets", "expected a list but got %s", kindOf(n))
		return
	}
	if len(n.Content) == 0 {
		p.failf(n, "targets", "the list is empty")
	}
	for i, entry := range n.Content {
		t := Target{Line: entry.Line, Values: map[string]Value{}}
		p.mapping(resolveAlias(entry), "abs", fmt.Sprintf("targets[%d]", i), t.Values)
		p.Targets = append(p.Targets, t)
	}
}

// value returns the text of a scalar, or of a list or a mapping for a flag that is repeatable.
func (p *parser) value(n *yaml.Node, key string, flag *kong.Flag) (text string, ok bool) {
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
		p.relativeFiles(items, flag)
		separator := ','
		if flag.IsMap() {
			separator = flag.Tag.MapSep
		}
		text = kong.JoinEscaped(items, separator)
	case n.Kind == yaml.MappingNode && flag.IsMap():
		items, ok := p.pairs(n, key, flag)
		if !ok {
			return "", false
		}
		p.relativeFiles(items, flag)
		text = kong.JoinEscaped(items, flag.Tag.MapSep)
	default:
		p.failf(n, key, "expected a value but got %s", kindOf(n))
		return "", false
	}
	if flag.Tag.Has("file") && !flag.IsMap() {
		text = p.relative(text)
	}
	if err := decode(flag, text, reflect.New(flag.Target.Type()).Elem()); err != nil {
		p.failf(n, key, "%s", err)
		return "", false
	}
	if flag.Enum != "" && !flag.EnumMap()[text] {
		p.failf(n, key, "must be one of %s but got %q", strings.Join(flag.EnumSlice(), ", "), text)
		return "", false
	}
	return text, true
}

// relative returns a path as it is relative to the configuration file.
func (p *parser) relative(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(p.Name), path)
}

// relativeFiles makes the files of items such as name=file relative to the configuration file.
func (p *parser) relativeFiles(items []string, flag *kong.Flag) {
	if !flag.Tag.Has("file") || !flag.IsMap() {
		return
	}
	for i, item := range items {
		if name, file, found := strings.Cut(item, "="); found {
			items[i] = name + "=" + p.relative(file)
		}
	}
}

// pairs returns a mapping of names to values as the flag has them, each name=value.
func (p *parser) pairs(n *yaml.Node, key string, flag *kong.Flag) (items []string, ok bool) {
	seen, numbers := map[string]bool{}, flag.Target.Type().Elem().Kind() == reflect.Int
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], resolveAlias(n.Content[i+1])
		switch {
		case name.Kind != yaml.ScalarNode || strings.Contains(name.Value, "="):
			p.failf(name, key, "%q cannot be a name", name.Value)
			return nil, false
		case seen[name.Value]:
			p.failf(name, key+"."+name.Value, "given twice")
			return nil, false
		case value.Kind != yaml.ScalarNode:
			p.failf(value, key+"."+name.Value, "expected a value but got %s", kindOf(value))
			return nil, false
		case value.Tag == "!!null":
			p.failf(value, key+"."+name.Value, "has no value")
			return nil, false
		}
		if _, err := strconv.Atoi(value.Value); err != nil && numbers {
			p.failf(value, key+"."+name.Value, "expected a whole number but got %q", value.Value)
			return nil, false
		}
		seen[name.Value] = true
		items = append(items, name.Value+"="+value.Value)
	}
	return items, true
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
