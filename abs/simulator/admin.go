package simulator

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// adminState is what the admin report says at a time.
type adminState struct {
	expiry       time.Time // of the licence
	expired      bool
	training     []string // APIs
	untracked    []string // APIs
	diskUsed     float64  // of the second node, 0 to 1
	nodeGone     bool     // the second node is
	mongoDBDown  bool     // the second node of MongoDB is
	timezone     string
	transactions int64
}

// adminState applies Config.Training and the faults that concern ABS's own state.
func (s *Simulator) adminState(at time.Time) adminState {
	a := adminState{expiry: time.Date(2035, 1, 1, 0, 0, 0, 0, time.UTC), diskUsed: 0.28, timezone: "local", transactions: s.cfg.Transactions}
	if s.cfg.Location == time.UTC {
		a.timezone = "utc"
	}
	for api := range s.cfg.Training {
		if s.inTraining(api, at) {
			a.training = append(a.training, api)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		over := !f.To.IsZero() && !at.Before(f.To)
		if f.Kind == FaultLicense && !over { // its end is known before
			a.expiry = f.From
		}
		if over || at.Before(f.From) {
			continue
		}
		switch f.Kind {
		case FaultLicense:
			a.expired = true
		case FaultTraining:
			a.training = append(a.training, f.API)
		case FaultUntracked:
			a.untracked = append(a.untracked, f.API)
		case FaultDisk:
			a.diskUsed = f.Share
			if since := at.Sub(f.From); f.Delay > 0 && since < f.Delay {
				a.diskUsed = 0.28 + (f.Share-0.28)*float64(since)/float64(f.Delay)
			}
		case FaultNodeGone:
			a.nodeGone = true
		case FaultMongoDB:
			a.mongoDBDown = true
		case FaultZone:
			a.timezone = f.Body
		}
	}
	return a
}

// writeAdmin writes the state of the deployment (facts 7), in the shape of 4.4 or of 5.x. Nodes are
// as the pages describe them. The name of the member with the time zone is not published.
func (s *Simulator) writeAdmin(w io.Writer, at time.Time) error {
	state := s.adminState(at)
	zoned := func(t time.Time) string { return t.In(s.cfg.Location).Format("Mon Jan 02 15:04:05 MST 2006") }
	apis := []map[string]any{}
	for _, name := range s.cfg.APIs {
		apis = append(apis, map[string]any{
			"api_name": name, "host_name": "*", "url": "/" + name, "api_type": "regular",
			"creation_date": zoned(at.AddDate(0, -1, 0)), "servers": 2, "protocol": "https",
			"cookie": "", "token": !slices.Contains(state.untracked, name), "training_started_at": zoned(at.AddDate(0, -1, 0)),
			"training_duration": "24 hours", "prediction_mode": !slices.Contains(state.training, name),
			"apikey_header": "", "apikey_qs": "", "jwt": map[string]any{}, "username_header": "",
		})
	}
	apis = append(apis, map[string]any{
		"api_name": "decoy", "host_name": "*", "url": "/decoy", "api_type": "decoy-outcontext",
		"token": false, "training_started_at": "n/a", "training_duration": "n/a", "prediction_mode": false,
	})
	node := func(ip string, used float64) map[string]any {
		return map[string]any{
			"node_ip": ip, "os": "Linux", "cpu": "2", "memory": "4G", "filesystem": fmt.Sprintf("%.0f%%", used*100),
		}
	}
	nodes := []map[string]any{node("127.0.0.1", 0.28)}
	if !state.nodeGone {
		nodes = append(nodes, node("127.0.0.2", state.diskUsed))
	}
	second := "up"
	if state.mongoDBDown {
		second = "down"
	}
	report := map[string]any{
		"company": "ping identity", "name": "api_admin",
		"description": "This report contains status information on all APIs, ABS clusters, and ASE logs",
		"license_info": map[string]any{
			"tier": "Subscription", "expiry": state.expiry.UTC().Format("Mon Jan 02 15:04:05 MST 2006"),
			"max_transactions_per_month": 1000000000, "current_month_transactions": state.transactions,
			"max_transactions_exceeded": state.transactions > 1000000000, "expired": state.expired,
		},
		"across_api_prediction_mode": true, "poc": false,
		"api_discovery": map[string]any{"subpath_length": "1", "status": true},
		"apis":          apis,
		"abs_cluster": map[string]any{
			"abs_nodes": nodes,
			"mongodb_nodes": []map[string]any{
				{"node_ip": "127.0.0.3", "type": "primary", "status": "up"},
				{"node_ip": "127.0.0.4", "type": "secondary", "status": second},
			},
		},
	}
	if !s.cfg.Version44 {
		report["timezone"] = state.timezone
	}
	return writeJSON(w, report)
}
