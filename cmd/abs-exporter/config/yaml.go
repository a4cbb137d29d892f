package config

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML returns the settings in effect as a configuration file has them, each with where it is from.
// Keys of ABS are not in it: they are in files or in variables.
func (s *Settings) YAML() ([]byte, error) {
	root := &yaml.Node{Kind: yaml.MappingNode}
	for _, setting := range s.Effective {
		if strings.HasPrefix(setting.Name, envPrefix) || keyless(setting.Name) {
			continue // no key of the file
		}
		node, rest := root, setting.Name
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
		value := child(node, path[len(path)-1], cmp.Or(setting.kind, yaml.ScalarNode))
		value.LineComment = setting.Origin
		setting.write(value)
	}
	return yaml.Marshal(root)
}

// write sets a node to the value of the setting.
func (e *Effective) write(n *yaml.Node) {
	scalar := func(text string) *yaml.Node {
		n := &yaml.Node{}
		n.SetString(text)
		return n
	}
	switch e.kind {
	case yaml.MappingNode:
		n.Style = yaml.FlowStyle
		for _, item := range e.items {
			name, value, _ := strings.Cut(item, "=")
			n.Content = append(n.Content, scalar(name), scalar(value))
		}
	case yaml.SequenceNode:
		n.Style = yaml.FlowStyle
		for _, item := range e.items {
			n.Content = append(n.Content, scalar(item))
		}
	default:
		if n.Value = e.Value; n.ShortTag() == "!!null" {
			n.SetString(e.Value)
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
