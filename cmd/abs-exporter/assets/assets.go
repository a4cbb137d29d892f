// Package assets turns the dashboards, alert rules and runbooks that the binary carries into files
// for Prometheus and Grafana, for Kubernetes, or for jsonnet.
package assets

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/dashboards"
	"github.com/abs-exporter/abs-exporter/docs/runbooks"
)

// The settings as they stand in the carried files.
const (
	GrafanaURL = "https://grafana.example.com"
	RunbookURL = "https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks"
	JobPattern = "abs|.*abs-exporter.*"
)

// Formats of files.
const (
	Files          = "files"          // as they are
	PrometheusRule = "prometheusrule" // the rules as objects of the Prometheus operator
	ConfigMap      = "configmap"      // the dashboards as objects that Grafana's sidecar loads
	Mixin          = "mixin"          // a jsonnet library
)

// Settings are what an operator sets once for all files.
type Settings struct {
	GrafanaURL string // without a slash at the end
	RunbookURL string // likewise
	JobPattern string // RE2, which matches the whole name of a job
	// Labels are added to the labels of each object, of PrometheusRule and ConfigMap.
	Labels map[string]string
}

// File is one file to write.
type File struct {
	Path string // with slashes, below the directory
	Data []byte
}

// Make returns the files of a format in the order of their paths.
func Make(format string, s Settings) ([]File, error) {
	var folders []folder
	convert := func(f File) File { return f }
	switch format {
	case Files:
		folders = []folder{{"alerts", alerts.FS, "*"}, {"dashboards", dashboards.FS, "*"}, {"runbooks", runbooks.FS, "*"}}
		convert = s.apply
	case PrometheusRule:
		folders = []folder{{"prometheusrules", alerts.FS, rulesGlob}}
		convert = func(f File) File { return s.prometheusRule(s.apply(f)) }
	case ConfigMap:
		folders = []folder{{"configmaps", dashboards.FS, dashboardsGlob}}
		convert = func(f File) File { return s.configMap(s.apply(f)) }
	case Mixin: // which applies the settings when it is evaluated
		folders = []folder{{"alerts", alerts.FS, rulesGlob}, {"dashboards", dashboards.FS, dashboardsGlob}}
	default:
		return nil, fmt.Errorf("%q is no format", format)
	}
	var made []File
	for _, folder := range folders {
		files, err := folder.files()
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			made = append(made, convert(f))
		}
	}
	if format == Mixin {
		library, err := mixin(s, made)
		if err != nil {
			return nil, err
		}
		made = append(made, library)
	}
	return made, nil
}

const (
	rulesGlob      = "*.rules.yml"
	dashboardsGlob = "*.json"
)

// folder is some files of one of the file systems that the binary carries.
type folder struct {
	name string
	fs   fs.FS
	glob string
}

func (f folder) files() ([]File, error) {
	names, err := fs.Glob(f.fs, f.glob)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	files := make([]File, len(names))
	for i, name := range names {
		data, err := fs.ReadFile(f.fs, name)
		if err != nil {
			return nil, err
		}
		files[i] = File{path.Join(f.name, name), data}
	}
	return files, nil
}

// apply puts the settings into a file. All else stays byte for byte, templates and comments
// included.
func (s Settings) apply(f File) File {
	for _, r := range [][2]string{
		{GrafanaURL, s.GrafanaURL},
		{RunbookURL, s.RunbookURL},
		{quoted(JobPattern), quoted(s.JobPattern)},
	} {
		f.Data = bytes.ReplaceAll(f.Data, []byte(r[0]), []byte(r[1]))
	}
	return f
}

// quoted returns a string of PromQL, which has the escapes of Go.
func quoted(text string) string { return strconv.Quote(text) }

// objectName returns the name of a Kubernetes object for a file: a DNS subdomain.
func objectName(file string) string {
	name := path.Base(file)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".rules.yml"), ".json")
	return "abs-exporter-" + strings.TrimPrefix(name, "abs-exporter-")
}
