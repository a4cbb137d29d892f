package main

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/collector"
)

// The members of /api/v1/status, as testdata/golden/status.json shows them. None is renamed or
// given another meaning. Times are RFC 3339 in UTC; what is not known is null.
type (
	statusV1 struct {
		Version  string            `json:"version"`
		Now      time.Time         `json:"now"`
		Started  time.Time         `json:"started"`
		Targets  []statusTargetV1  `json:"targets"`
		Settings []statusSettingV1 `json:"settings"`
	}
	statusTargetV1 struct {
		Target           string          `json:"target"`
		Host             string          `json:"host"`
		Timezone         string          `json:"timezone"`
		Up               *bool           `json:"up"`
		LastCycle        *time.Time      `json:"last_cycle"`
		LastCycleSeconds float64         `json:"last_cycle_seconds"`
		NextCycle        *time.Time      `json:"next_cycle"`
		StateSaved       *time.Time      `json:"state_saved"`
		Requests         int64           `json:"requests"`
		WindowRequests   *int64          `json:"window_requests"`
		WindowTokens     *int64          `json:"window_tokens"`
		TrackedTokens    int             `json:"tracked_tokens"`
		FlaggedTokens    *int64          `json:"flagged_tokens"`
		Slots            map[string]int  `json:"slots"`
		Forensics        map[string]int  `json:"forensics"`
		Flagged          []flaggedV1     `json:"flagged"`
		Calls            []callV1        `json:"calls"`
		Errors           []statusErrorV1 `json:"errors"`
	}
	flaggedV1 struct {
		Token       string    `json:"token"`
		AttackTypes []string  `json:"attack_types"`
		Since       time.Time `json:"since"`
	}
	callV1 struct {
		Report  string    `json:"report"`
		Ended   time.Time `json:"ended"`
		Status  *int      `json:"status"`
		Bytes   int64     `json:"bytes"`
		Seconds float64   `json:"seconds"`
		Reason  *string   `json:"reason"`
		Error   *string   `json:"error"`
	}
	statusErrorV1 struct {
		Since time.Time `json:"since"`
		Last  time.Time `json:"last"`
		Times int       `json:"times"`
		Error string    `json:"error"`
	}
	statusSettingV1 struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
	}
)

// statusJSON answers with what the status page shows.
func (p *pages) statusJSON(w http.ResponseWriter, _ *http.Request) {
	answer := statusV1{
		Version: p.build.Version, Now: p.clock.Now().UTC(), Started: p.started.UTC(),
		Targets: []statusTargetV1{}, Settings: []statusSettingV1{},
	}
	for _, s := range p.collector.Status() {
		answer.Targets = append(answer.Targets, newStatusTarget(&s))
	}
	for _, s := range p.reloader.settings.Load().Effective {
		answer.Settings = append(answer.Settings, statusSettingV1{s.Name, s.Value, s.Origin})
	}
	text, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		http.Error(w, "the status cannot be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(append(text, '\n')) // the client is gone
}

func newStatusTarget(s *collector.Status) statusTargetV1 {
	f := s.Forensics
	t := statusTargetV1{
		Target: s.Target, Host: s.Host, LastCycle: knownTime(s.LastCycle), LastCycleSeconds: s.LastCycleDuration.Seconds(),
		NextCycle: knownTime(s.NextCycle), StateSaved: knownTime(s.StateSaved),
		Requests: s.Requests, TrackedTokens: s.TrackedTokens,
		WindowRequests: knownCount(s.WindowRequests), WindowTokens: knownCount(s.WindowTokens), FlaggedTokens: knownCount(s.FlaggedTokens),
		Slots:     map[string]int{},
		Forensics: map[string]int{"due": f.Due, "covered": f.Covered, "failed": f.Failed, "skipped": f.Skipped},
		Flagged:   []flaggedV1{}, Calls: []callV1{}, Errors: []statusErrorV1{},
	}
	if s.Location != nil {
		t.Timezone = s.Location.String()
	}
	if !s.LastCycle.IsZero() {
		t.Up = &s.Up
	}
	for _, slot := range s.Slots {
		t.Slots[string(slot.State)]++
	}
	for _, token := range s.Flagged {
		t.Flagged = append(t.Flagged, flaggedV1{token.ID.String(), token.Types, token.Since.UTC()})
	}
	for _, c := range s.Calls {
		call := callV1{Report: c.Report, Ended: c.Ended.UTC(), Bytes: c.Bytes, Seconds: c.Duration.Seconds()}
		if c.Status != 0 {
			call.Status = &c.Status
		}
		if c.Reason != "" {
			call.Reason, call.Error = &c.Reason, &c.Error
		}
		t.Calls = append(t.Calls, call)
	}
	for _, e := range s.Errors {
		t.Errors = append(t.Errors, statusErrorV1{e.Since.UTC(), e.At.UTC(), e.Times, e.What})
	}
	return t
}

func knownTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// knownCount returns nil for -1, which is a number that nobody knows.
func knownCount(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
