package assets

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"path"
	"strings"
	"text/template"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/dashboards"
)

//go:embed mixin.libsonnet.tmpl
var mixinTemplate string

// mixin returns the jsonnet library, which imports the files that are written beside it.
func mixin(s Settings) (File, error) {
	rules, err := folder{"alerts", alerts.FS, rulesGlob}.files()
	if err != nil {
		return File{}, err
	}
	boards, err := folder{"dashboards", dashboards.FS, dashboardsGlob}.files()
	if err != nil {
		return File{}, err
	}
	var b bytes.Buffer
	err = template.Must(template.New("mixin").Funcs(template.FuncMap{"base": path.Base, "literal": literal}).Parse(mixinTemplate)).
		Execute(&b, struct {
			Settings                                   Settings
			GrafanaURL, RunbookURL, JobPattern, Folder string
			Rules, Dashboards                          []File
		}{s, GrafanaURL, RunbookURL, quoted(JobPattern), grafanaFolder, rules, boards})
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
