package simulator

import (
	"io"
	"time"
)

// writeAdmin writes the state of the deployment (facts 7). The name of the member with the time
// zone is not published.
func (s *Simulator) writeAdmin(w io.Writer, at time.Time) error {
	zoned := func(t time.Time) string { return t.In(s.cfg.Location).Format("Mon Jan 02 15:04:05 MST 2006") }
	apis := []map[string]any{}
	for _, name := range s.cfg.APIs {
		apis = append(apis, map[string]any{
			"api_name": name, "host_name": "*", "url": "/" + name, "api_type": "regular",
			"creation_date": zoned(at.AddDate(0, -1, 0)), "servers": 2, "protocol": "https",
			"cookie": "", "token": true, "training_started_at": zoned(at.AddDate(0, -1, 0)),
			"training_duration": "24 hours", "prediction_mode": true,
			"apikey_header": "", "apikey_qs": "", "jwt": map[string]any{}, "username_header": "",
		})
	}
	zone := "local"
	if s.cfg.Location == time.UTC {
		zone = "utc"
	}
	return writeJSON(w, map[string]any{
		"company": "ping identity", "name": "api_admin",
		"description": "This report contains status information on all APIs, ABS clusters, and ASE logs",
		"license_info": map[string]any{
			"tier": "Subscription", "expiry": "Mon Jan 01 00:00:00 UTC 2035",
			"max_transactions_per_month": 1000000000, "current_month_transactions": 0,
			"max_transactions_exceeded": false, "expired": false,
		},
		"across_api_prediction_mode": true, "poc": false,
		"api_discovery": map[string]any{"subpath_length": "1", "status": true},
		"apis":          apis,
		"abs_cluster": map[string]any{"abs_nodes": []map[string]any{{
			"node_ip": "127.0.0.1", "os": "Linux", "cpu": "2", "memory": "4G", "filesystem": "28%",
			"dashboard_node": true,
		}}},
		"timezone": zone,
	})
}
