package assets

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// folderAnnotation is the usual name of the annotation by which Grafana's sidecar sorts dashboards
// into folders, and sidecarLabel that of the label by which it finds them.
const (
	folderAnnotation = "grafana_folder"
	sidecarLabel     = "grafana_dashboard"
	grafanaFolder    = "ABS"
)

// prometheusRule turns a file of rules into an object. The rules stay text, so that templates,
// comments and anchors come through as they are.
func (s Settings) prometheusRule(f File) File {
	name := objectName(f.Path)
	var b bytes.Buffer
	b.WriteString("apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n")
	s.metadata(&b, name, nil, nil)
	b.WriteString("spec:\n")
	b.Write(indented(f.Data, "  "))
	return File{path.Join(path.Dir(f.Path), name+".yaml"), b.Bytes()}
}

// configMap turns a dashboard into an object. The JSON is a literal block, so it stays byte for
// byte.
func (s Settings) configMap(f File) File {
	name := objectName(f.Path)
	var b bytes.Buffer
	b.WriteString("apiVersion: v1\nkind: ConfigMap\n")
	s.metadata(&b, name, map[string]string{sidecarLabel: "1"}, map[string]string{folderAnnotation: grafanaFolder})
	chomping := "" // one line break at the end
	if !bytes.HasSuffix(f.Data, []byte("\n")) {
		chomping = "-"
	}
	fmt.Fprintf(&b, "data:\n  %s: |%s\n", path.Base(f.Path), chomping)
	b.Write(indented(f.Data, "    "))
	return File{path.Join(path.Dir(f.Path), name+".yaml"), b.Bytes()}
}

// metadata writes the metadata of an object. It has no namespace: kubectl -n names it.
func (s Settings) metadata(b *bytes.Buffer, name string, labels, annotations map[string]string) {
	all := map[string]string{"app.kubernetes.io/name": "abs-exporter"}
	maps.Copy(all, labels)
	maps.Copy(all, s.Labels)
	fmt.Fprintf(b, "metadata:\n  name: %s\n", name)
	for _, section := range []struct {
		name   string
		values map[string]string
	}{{"labels", all}, {"annotations", annotations}} {
		if len(section.values) == 0 {
			continue
		}
		fmt.Fprintf(b, "  %s:\n", section.name)
		for _, key := range slices.Sorted(maps.Keys(section.values)) {
			fmt.Fprintf(b, "    %s: %q\n", key, section.values[key])
		}
	}
}

// indented returns the lines of a text behind an indentation. Empty lines stay empty.
func indented(text []byte, indentation string) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		if line != "\n" {
			b.WriteString(indentation)
		}
		b.WriteString(line)
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteByte('\n')
	}
	return b.Bytes()
}
