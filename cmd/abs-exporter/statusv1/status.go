package statusv1

import (
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// The members, with what docs/http.md says of them. None is renamed or gets another meaning;
// others may be added. Times are RFC 3339 in UTC, and what is not known is null.
type (
	// Status is the answer.
	Status struct {
		Version   string    `json:"version" doc:"of the exporter"`
		Revision  string    `json:"revision" doc:"the commit that it was built from"`
		GoVersion string    `json:"go_version" doc:"the Go that it was built with"`
		Started   time.Time `json:"started" doc:"when the process began to serve"`
		Now       time.Time `json:"now" doc:"when this answer was made"`
		Targets   []target  `json:"targets" doc:"one entry per target, in the order of the configuration, as of its last commit"`
		Settings  []setting `json:"settings" doc:"the settings in effect; those of the entries of targets at the end"`
	}
	target struct {
		Target           string     `json:"target" doc:"the value of the label target"`
		Host             string     `json:"host" doc:"of the URL, with the port if it names one"`
		Timezone         string     `json:"timezone" doc:"of ABS's dates, as configured"`
		WindowEnd        string     `json:"window_end" doc:"exclusive or inclusive, as configured"`
		Up               *bool      `json:"up" doc:"whether the last cycle got its reports; null before the first has ended"`
		RunningSince     *time.Time `json:"running_since" doc:"when the cycle that runs now began; null between two cycles"`
		LastCycle        *time.Time `json:"last_cycle" doc:"when the last finished cycle began"`
		LastCycleSeconds float64    `json:"last_cycle_seconds" doc:"how long it took; 0 before the first has ended"`
		NextCycle        *time.Time `json:"next_cycle" doc:"when the next one is due"`
		StateSaved       *time.Time `json:"state_saved" doc:"when the state was saved last; null without a state directory"`
		Requests         int64      `json:"requests" doc:"requests counted in total"`
		TrackedTokens    int        `json:"tracked_tokens" doc:"tokens with series of their own"`
		WindowRequests   *int64     `json:"window_requests" doc:"requests in the window"`
		WindowTokens     *int64     `json:"window_tokens" doc:"tokens in the window"`
		FlaggedTokens    *int64     `json:"flagged_tokens" doc:"tokens of the window with an active attack"`
		Slots            []slot     `json:"slots" doc:"oldest first; of settled and missed ones the last few"`
		Forensics        forensics  `json:"forensics" doc:"how far forensics has come with the tokens of the window"`
		ABS              absState   `json:"abs" doc:"ABS's own state, from its admin report"`
		Flagged          []flagged  `json:"flagged" doc:"flagged tokens, longest flagged first; 100 at most"`
		Calls            []call     `json:"calls" doc:"the last calls to ABS by report, newest first: 3 that succeeded and 10 that failed of each"`
		Errors           []failure  `json:"errors" doc:"what failed last, newest first"`
	}
	slot struct {
		From     time.Time  `json:"from" doc:"its begin"`
		To       time.Time  `json:"to" doc:"its end"`
		State    string     `json:"state" doc:"pending, open, settled, unproven or missed, as [counting.md](counting.md) has them"`
		Requests int64      `json:"requests" doc:"requests counted from it"`
		LastRead *time.Time `json:"last_read" doc:"when it was read last"`
	}
	forensics struct {
		Enabled bool       `json:"enabled" doc:"whether forensics is requested"`
		Due     int        `json:"due" doc:"tokens to be requested"`
		Covered int        `json:"covered" doc:"tokens with an answer that is still good"`
		Failed  int        `json:"failed" doc:"tokens whose request failed"`
		Skipped int        `json:"skipped" doc:"tokens that cannot be requested"`
		Oldest  *time.Time `json:"oldest" doc:"when the oldest of the answers was given; null until each token has had one"`
	}
	absState struct {
		APIs           *int       `json:"apis" doc:"its APIs"`
		Predicting     *int       `json:"predicting" doc:"of these, those on which it detects attacks"`
		TrackingTokens *int       `json:"tracking_tokens" doc:"of these, those on which it tracks tokens"`
		NotTracking    []string   `json:"not_tracking" doc:"names of the first 20 on which it does not"`
		LicenseExpiry  *time.Time `json:"license_expiry" doc:"when its licence ends"`
		LicenseExpired bool       `json:"license_expired" doc:"whether it reported that the licence has expired"`
	}
	flagged struct {
		Token       string    `json:"token" doc:"the token id; never the token"`
		AttackTypes []string  `json:"attack_types" doc:"for which types, as in the label attack_type"`
		Since       time.Time `json:"since" doc:"since when the exporter has known"`
	}
	call struct {
		Report  string    `json:"report" doc:"the report that was requested"`
		Ended   time.Time `json:"ended" doc:"when the call ended"`
		Status  *int      `json:"status" doc:"the status of HTTP; null without a response"`
		Bytes   int64     `json:"bytes" doc:"size of the body, as far as it was read"`
		Seconds float64   `json:"seconds" doc:"how long it took"`
		Reason  *string   `json:"reason" doc:"of a failure, as in the label reason; null where the call succeeded"`
		Error   *string   `json:"error" doc:"what happened, in 300 bytes at most; null where the call succeeded"`
	}
	failure struct {
		Error string    `json:"error" doc:"what failed, and what follows"`
		Since time.Time `json:"since" doc:"the first time"`
		Last  time.Time `json:"last" doc:"the last time"`
		Times int       `json:"times" doc:"how often"`
	}
	setting struct {
		Name   string `json:"name" doc:"the name of the flag; targets[0].name for a key of an entry of targets"`
		Value  string `json:"value" doc:"as it would be written after the flag; secrets are (hidden)"`
		Origin string `json:"origin" doc:"default, or the flag, the variable or the line of the file that set it"`
	}
)

// New returns the answer.
func New(b metrics.Build, started, now time.Time, targets []collector.Status, settings []config.Effective) *Status {
	answer := &Status{
		Version: b.Version, Revision: b.Revision, GoVersion: b.GoVersion, Started: started.UTC(), Now: now.UTC(),
		Targets: []target{}, Settings: []setting{},
	}
	for i := range targets {
		answer.Targets = append(answer.Targets, newTarget(&targets[i]))
	}
	for _, s := range settings {
		answer.Settings = append(answer.Settings, setting{s.Name, s.Value, s.Origin})
	}
	return answer
}

func newTarget(s *collector.Status) target {
	f := s.Forensics
	t := target{
		Target: s.Target, Host: s.Host, WindowEnd: "exclusive",
		RunningSince: known(s.Running), LastCycle: known(s.LastCycle), LastCycleSeconds: s.LastCycleDuration.Seconds(),
		NextCycle: known(s.NextCycle), StateSaved: known(s.StateSaved),
		Requests: s.Requests, TrackedTokens: s.TrackedTokens,
		WindowRequests: count(s.WindowRequests), WindowTokens: count(s.WindowTokens), FlaggedTokens: count(s.FlaggedTokens),
		Forensics: forensics{f.Enabled, f.Due, f.Covered, f.Failed, f.Skipped, known(f.Oldest)},
		ABS:       absState{NotTracking: []string{}, LicenseExpiry: known(s.Admin.LicenseExpiry), LicenseExpired: s.Admin.LicenseExpired},
		Slots:     []slot{}, Flagged: []flagged{}, Calls: []call{}, Errors: []failure{},
	}
	if s.Inclusive {
		t.WindowEnd = "inclusive"
	}
	if s.Location != nil {
		t.Timezone = s.Location.String()
	}
	if !s.LastCycle.IsZero() {
		t.Up = &s.Up
	}
	if s.Admin.Known {
		t.ABS.APIs, t.ABS.Predicting, t.ABS.TrackingTokens = &s.Admin.APIs, &s.Admin.Predicting, &s.Admin.TrackingTokens
		t.ABS.NotTracking = append(t.ABS.NotTracking, s.Admin.NotTracking...)
	}
	for _, one := range s.Slots {
		t.Slots = append(t.Slots, slot{one.From.UTC(), one.To.UTC(), string(one.State), one.Requests, known(one.Read)})
	}
	for _, token := range s.Flagged {
		t.Flagged = append(t.Flagged, flagged{token.ID.String(), token.Types, token.Since.UTC()})
	}
	for _, c := range s.Calls {
		one := call{Report: c.Report, Ended: c.Ended.UTC(), Bytes: c.Bytes, Seconds: c.Duration.Seconds()}
		if c.Status != 0 {
			one.Status = &c.Status
		}
		if c.Reason != "" {
			one.Reason, one.Error = &c.Reason, &c.Error
		}
		t.Calls = append(t.Calls, one)
	}
	for _, e := range s.Errors {
		t.Errors = append(t.Errors, failure{e.What, e.Since.UTC(), e.At.UTC(), e.Times})
	}
	return t
}

// known returns nil for a zero time, which is one that is not known.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// count returns nil for -1, which is a number that is not known.
func count(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
