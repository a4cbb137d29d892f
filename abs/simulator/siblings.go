package simulator

import (
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"
)

// The shapes of the reports beside the two that the pages show whole are put together
// from the excerpts in facts 5 to 7; where those are silent they are guesses, and
// written so that a reader that insists on more than the excerpts say will fail.

// hinted is whether the hints tell an attack at a time.
func hinted(at time.Time) func(Attack) bool {
	return func(a Attack) bool { return !a.Anomaly && !a.NoHint && !a.HintedFrom.After(at) }
}

// writeAttackList writes the list of clients that ABS found to attack (facts 7): those
// of attacks in the window, and those that never expire. What the status filter does to
// tokens is a guess: active ones are under attack at the window's end.
func (s *Simulator) writeAttackList(w io.Writer, q question, status string) error {
	attacks := s.attacksIn(q.view.spans, hinted(q.at))
	if status != "" && len(q.view.spans) > 0 {
		end := time.Unix(0, min(q.view.spans[len(q.view.spans)-1].hi, q.at.UnixNano()))
		attacks = slices.DeleteFunc(attacks, func(a Attack) bool {
			return (a.To.IsZero() || !a.To.Before(end)) != (status == "active")
		})
	}
	p := s.page(w)
	p.head("attack_list", "This report contains the clients that were", "found to attack", q.earlier, q.later)
	p.text(" \"ips\": [],\n \"cookies\": {},\n \"oauth_tokens\": [")
	first := true
	entry := func(token []byte) error {
		if !first {
			p.text(",")
		}
		first = false
		p.text("\n ")
		if q.restricted {
			token = obfuscate(token)
		}
		p.quote(string(token))
		return p.flush(flushAt)
	}
	if status != "active" {
		for i := range s.cfg.StaleHints {
			if err := entry([]byte("expired-" + strconv.FormatUint(mix(s.cfg.Seed, uint64(i)), 36))); err != nil {
				return err
			}
		}
	}
	for _, t := range tokensOf(attacks) {
		if err := entry([]byte(t)); err != nil {
			return err
		}
	}
	p.text("\n ],\n \"api_keys\": [],\n \"usernames\": []\n}\n")
	return p.flush(0)
}

// writeAttack writes the attack report: with an API its attacks, else those across
// APIs. One type is an object, as is the sample about one API; all of them (type 0) are
// an array, as is the sample across APIs (facts 5).
func (s *Simulator) writeAttack(w io.Writer, q question, kind int, api string) error {
	want := api
	if want == "" {
		want = Across
	}
	known := hinted(q.at)
	attacks := s.attacksIn(q.view.spans, func(a Attack) bool {
		return known(a) && slices.Contains(a.APIs, want) && (kind == 0 || a.ID == kind)
	})
	var types []string
	for _, a := range attacks {
		if !slices.Contains(types, a.Type) {
			types = append(types, a.Type)
		}
	}
	p := s.page(w)
	if kind != 0 && len(types) == 0 {
		p.text("{}\n")
		return p.flush(0)
	}
	if kind == 0 {
		p.text("[\n")
	}
	for n, name := range types {
		if n > 0 {
			p.text(",\n")
		}
		p.attack(s, q, name, want, attacks)
		if kind != 0 {
			break // two names of one number: the sample has room for one
		}
	}
	if kind == 0 {
		p.text("]")
	}
	p.text("\n")
	return p.flush(0)
}

func (p *page) attack(s *Simulator, q question, name, api string, attacks []Attack) {
	p.text("{\n \"attack_type\": ")
	p.quote(name)
	p.text(",\n")
	p.members("api_attack_type", "Client (IP or cookie or token) involved in this attack", "type", q.earlier, q.later)
	p.text(" \"api_name\": ")
	p.quote(api)
	p.text(",\n \"access_tokens\": [")
	first := true
	for _, token := range tokensOf(attacks) {
		of := slices.DeleteFunc(slices.Clone(attacks), func(a Attack) bool { return a.Token != token || a.Type != name })
		if len(of) == 0 {
			continue
		}
		if !first {
			p.text(",")
		}
		first = false
		told := []byte(token)
		if q.restricted {
			told = obfuscate(told)
		}
		p.text("\n {\n \"access_token\": ")
		p.quote(string(told))
		// ABS has told the times in two ways over the years.
		old := of[0].ID%2 == 1
		if old {
			p.text(",\n \"access_time\": [")
		} else {
			p.text(",\n \"details\": [")
		}
		for n, a := range of {
			if n > 0 {
				p.text(",")
			}
			at := wallOf(a.From, s.cfg.Location).String()
			if old {
				p.text("\n ")
				p.quote(at)
				continue
			}
			p.text("\n {\n \"access_time\": ")
			p.quote(at)
			p.text(",\n \"attack_code\": \"varA(Tx, 26)\",\n \"attack_deviation\": \"varA(700%)\"\n }")
		}
		p.text("\n ]\n }")
	}
	p.text("\n ]\n}")
}

// writeAttackStatus tells ABS's own names of attacks (facts 5).
func (s *Simulator) writeAttackStatus(w io.Writer, at time.Time) error {
	type entry struct {
		ID      int    `json:"attack_id"`
		Name    string `json:"attack_name"`
		Enabled string `json:"enabled_time,omitempty"`
	}
	enabled := []entry{}
	for _, t := range attackTypes {
		enabled = append(enabled, entry{t.id, t.name, wallOf(at.Add(-24*time.Hour), s.cfg.Location).String()})
	}
	return writeJSON(w, map[string]any{
		"company": "ping identity", "name": "api_attack_status",
		"attack_status": map[string]any{"enabled": enabled, "disabled": []entry{}},
	})
}

// writeAdmin tells of the deployment (facts 7). The name of the member with the time
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

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(v)
}
