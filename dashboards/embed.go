package dashboards

import "embed"

// FS has the dashboards, one JSON file each, named by the dashboard's uid. They work provisioned
// and imported by hand in Grafana 10 to 13.
//
//go:embed *.json
var FS embed.FS
