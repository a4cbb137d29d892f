package config

import (
	"net/url"
	"regexp"
	"strings"
)

// Assets is the command assets. Its flags belong to one call, so they are neither variables nor
// keys of the file.
type Assets struct {
	Dir        string            `default:"abs-exporter-assets" placeholder:"DIR" group:"assets" env:"-" help:"Folder to write into; created if it is missing."`
	Format     string            `default:"files" enum:"files,prometheusrule,configmap,mixin" group:"assets" env:"-" help:"What to write: files (rules, Alertmanager example, dashboards, runbooks), prometheusrule (the rules, for the Prometheus operator), configmap (the dashboards, for Grafana's sidecar) or mixin (rules and dashboards, for jsonnet)."`
	GrafanaURL string            `default:"https://grafana.example.com" placeholder:"URL" group:"assets" env:"-" help:"Address of your Grafana, for the links in alerts."`
	RunbookURL string            `default:"https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks" placeholder:"URL" group:"assets" env:"-" help:"Where your runbooks are, for the links in alerts: the name of the alert and .md are appended. The exporter serves them under /runbooks, but not while it is down."`
	JobPattern string            `default:"abs|.*abs-exporter.*" placeholder:"REGEXP" group:"assets" env:"-" help:"Which scrape jobs are exporters: a regular expression of Prometheus, which matches the whole name."`
	Label      map[string]string `placeholder:"NAME=VALUE" group:"assets" env:"-" help:"Label for each object of prometheusrule and configmap, such as release=monitoring, by which many Prometheus operators select rules. Repeatable."`
	Force      bool              `group:"assets" env:"-" help:"Overwrite files that differ. Without it they are left alone and nothing is written, as they may hold thresholds of your own."`
}

var (
	labelName  = regexp.MustCompile(`^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$`)
)

func (a *Assets) validate(v *validation) {
	a.GrafanaURL = pageURL(v.failf, "grafana-url", a.GrafanaURL)
	a.RunbookURL = pageURL(v.failf, "runbook-url", a.RunbookURL)
	if _, err := regexp.Compile(a.JobPattern); err != nil {
		v.failf("job-pattern", "%s", err)
	} else if a.JobPattern == "" {
		v.failf("job-pattern", "is empty, so no job would be an exporter")
	}
	if len(a.Label) > 0 && a.Format != "prometheusrule" && a.Format != "configmap" {
		v.failf("label", "is for --format=prometheusrule and configmap, whose objects have labels, but the format is %s", a.Format)
	}
	for name, value := range a.Label {
		if !labelName.MatchString(name) || !labelValue.MatchString(value) {
			v.failf("label", "%q is no label of Kubernetes", name+"="+value)
		}
	}
}

// pageURL returns the address under which pages are, without a slash at the end. It is written into
// YAML and into templates as it is. An error does not repeat it, as it may hold a password.
func pageURL(fail failure, name, text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		fail(name, "must be a URL that begins with http:// or https:// and a host")
	case u.User != nil:
		fail(name, "must have no user and no password, as alerts show it to everybody")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsAny(text, "{}'\"`\\ "):
		fail(name, "must be an address that a path can be appended to")
	default:
		return strings.TrimRight(u.String(), "/")
	}
	return ""
}
