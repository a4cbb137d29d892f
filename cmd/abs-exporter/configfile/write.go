package configfile

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Setting is a value to write, with a comment at the end of its line.
type Setting struct {
	Key     string // the name of a flag, or what TargetKey returns
	Comment string

	Kind  yaml.Kind // of a list or a mapping; 0: a scalar
	Text  string    // of a scalar
	Items []string  // of a list, or of a mapping, each name=value
}

// Marshal returns a file that has the settings. Entries of the list targets follow each other.
func Marshal(settings []Setting) ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for i := range settings {
		node, rest := root, settings[i].Key
		var index int
		if _, err := fmt.Sscanf(rest, "targets[%d]", &index); err == nil {
			list := child(root, "targets", yaml.SequenceNode)
			for len(list.Content) <= index {
				list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode})
			}
			node = list.Content[index]
			_, rest, _ = strings.Cut(rest, "].")
		}
		path := strings.Split(rest, ".")
		for _, key := range path[:len(path)-1] {
			node = child(node, key, yaml.MappingNode)
		}
		value := child(node, path[len(path)-1], cmp.Or(settings[i].Kind, yaml.ScalarNode))
		value.LineComment = settings[i].Comment
		settings[i].write(value)
	}
	return yaml.Marshal(root)
}

// write sets a node to the value of the setting.
func (s *Setting) write(n *yaml.Node) {
	scalar := func(text string) *yaml.Node {
		n := &yaml.Node{}
		n.SetString(text)
		return n
	}
	switch s.Kind {
	case yaml.MappingNode:
		n.Style = yaml.FlowStyle
		for _, item := range s.Items {
			name, value, _ := strings.Cut(item, "=")
			n.Content = append(n.Content, scalar(name), scalar(value))
		}
	case yaml.SequenceNode:
		n.Style = yaml.FlowStyle
		for _, item := range s.Items {
			n.Content = append(n.Content, scalar(item))
		}
	default:
		if n.Value = s.Text; n.ShortTag() == "!!null" {
			n.SetString(s.Text)
			n.Style = yaml.DoubleQuotedStyle
		}
	}
}

// child returns the value of a key, which it adds if there is none.
func child(n *yaml.Node, key string, kind yaml.Kind) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	value := &yaml.Node{Kind: kind}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	return value
}
