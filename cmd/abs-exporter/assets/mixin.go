package assets

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"text/template"
)

//go:embed mixin.libsonnet.tmpl
var mixinTemplate string

// mixin returns the jsonnet library, which imports the files that are written beside it: rules, and
// then dashboards.
func mixin(s Settings, files []File) (File, error) {
	boards := slices.IndexFunc(files, func(f File) bool { return path.Ext(f.Path) == ".json" })
	var b bytes.Buffer
	err := template.Must(template.New("mixin").Funcs(template.FuncMap{"base": path.Base, "literal": literal}).Parse(mixinTemplate)).
		Execute(&b, struct {
			Settings                                   Settings
			GrafanaURL, RunbookURL, JobPattern, Folder string
			Rules, Dashboards                          []File
		}{s, GrafanaURL, RunbookURL, quoted(JobPattern), grafanaFolder, files[:boards], files[boards:]})
	return File{"mixin/mixin.libsonnet", b.Bytes()}, err
}

// literal returns a string of jsonnet in single quotes, as its formatter writes them.
func literal(text string) (string, error) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return "", err
	}
	return "'" + strings.NewReplacer(`\\`, `\\`, `\"`, `"`, `'`, `\'`).Replace(string(quoted[1:len(quoted)-1])) + "'", nil
}
