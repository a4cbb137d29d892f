package alerts

import "embed"

// FS has the rule files and the Alertmanager example, as they are in this folder.
//
//go:embed *.rules.yml alertmanager.yml abs-exporter.tmpl
var FS embed.FS
