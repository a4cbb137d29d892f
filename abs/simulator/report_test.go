package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// kinds are simulated ABSs of different traffic.
func kinds(c *clock) map[string]Config {
	return map[string]Config{
		"few for ever":     {Seed: 1, Tokens: 40, Rate: 12, Now: c.Now, Delay: time.Minute, DelayMax: 2 * time.Hour},
		"busy":             {Seed: 2, Tokens: 20, Rate: 5000, Now: c.Now, DelayMax: time.Hour},
		"churn":            {Seed: 3, Tokens: 200, TokenLife: 17 * time.Minute, Rate: 3, Now: c.Now, DelayMax: time.Hour},
		"immediate":        {Seed: 4, Tokens: 50, Rate: 6, Now: c.Now, Immediate: true},
		"one API, splits":  {Seed: 5, Tokens: 50, Rate: 60, Now: c.Now, APIs: []string{`a "quoted" <api>`}, SplitRows: 2},
		"short batches":    {Seed: 6, Tokens: 50, TokenLife: time.Hour, Rate: 60, Now: c.Now, Batch: time.Minute, Delay: 30 * time.Second},
		"bounded":          {Seed: 7, Tokens: 50, Rate: 60, Now: c.Now, Begin: at("2026-03-03T07:03:00Z"), End: at("2026-03-03T08:11:00Z")},
		"nothing":          {Seed: 8, Now: c.Now},
		"Kolkata":          {Seed: 9, Tokens: 30, Rate: 9, Now: c.Now, Location: zone("Asia/Kolkata")},
		"wall, New York":   {Seed: 10, Tokens: 30, Rate: 9, Now: c.Now, WallClock: true, Location: zone("America/New_York")},
		"inclusive, wall":  {Seed: 11, Tokens: 30, Rate: 9, Now: c.Now, WallClock: true, InclusiveEnd: true},
		"inclusive, churn": {Seed: 12, Tokens: 30, Rate: 9, Now: c.Now, TokenLife: 20 * time.Minute, InclusiveEnd: true},
	}
}

func zone(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return l
}

func TestReportsEqualTruth(t *testing.T) {
	from, to := at("2026-03-03T07:00:00Z"), at("2026-03-03T09:07:00Z")
	c := &clock{}
	for name, cfg := range kinds(c) {
		t.Run(name, func(t *testing.T) {
			s := New(cfg)
			inject(s, from.Add(-time.Hour), to.Add(time.Hour))
			end := to
			if cfg.InclusiveEnd {
				end = to.Add(time.Minute)
			}
			c.now = end.Add(lateness(s.cfg))
			truth := s.Truth(from, end)
			mustEqual(t, "report", addUp(t, tokens(t, s, from, to)), truth)
			mustEqual(t, "TruthVisible", s.TruthVisible(from, end, c.now), truth)
			if n := s.TruthRequests(from, end); n != truth.Requests {
				t.Fatalf("TruthRequests = %d, want %d", n, truth.Requests)
			}
			if truth.Requests < 100 {
				t.Fatalf("only %d requests: too few for the test", truth.Requests)
			}
			// The report about one token equals its row.
			for token, want := range truth.ByToken {
				f := forensics(t, s, from, to, token)
				if f.Summary.TotalRequests != want.Requests || f.Details.Metrics.TotalRequests != want.Requests ||
					f.Details.Metrics.Token != token {
					t.Fatalf("forensics of %q: %+v, want %d requests", token, f.Summary, want.Requests)
				}
			}
		})
	}
}

// inject adds requests of the simulator's own tokens and of others, at odd times.
func inject(s *Simulator, from, to time.Time) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"token1", "tök\"en\n2", "a+b/c=="}
	for i := range min(s.traffic.tokens, 5) {
		id := tokenID{slot: uint32(i), life: s.traffic.lifeAt(uint32(i), from.Unix()+3600)}
		names = append(names, string(s.traffic.appendToken(nil, id)))
	}
	for range 300 {
		s.Add(Event{
			At:    from.Add(time.Duration(r.Int64N(int64(to.Sub(from))))),
			Token: names[r.IntN(len(names))],
			IP:    []string{"", "10.0.0.1", "2001:db8::1"}[r.IntN(3)],
			API:   []string{"", "shop", "über"}[r.IntN(3)],
			N:     r.Int64N(4),
		})
	}
}

func TestVisibleRequestsOnlyGrow(t *testing.T) {
	from, to := at("2026-03-03T07:00:00Z"), at("2026-03-03T08:00:00Z")
	c := &clock{}
	s := New(Config{Seed: 9, Tokens: 40, Rate: 20, Now: c.Now, Delay: 5 * time.Minute, DelayMax: 2 * time.Hour})
	last, steps := map[string]int64{}, 0
	for c.now = from; c.now.Before(to.Add(lateness(s.cfg))); c.now = c.now.Add(time.Minute) {
		r := addUp(t, tokens(t, s, from, to))
		mustEqual(t, "TruthVisible", s.TruthVisible(from, to, c.now), r)
		grown := false
		for token, n := range last {
			if got := r.ByToken[token]; got == nil || got.Requests < n {
				t.Fatalf("at %s %s fell from %d", c.now, token, n)
			}
		}
		for token, now := range r.ByToken {
			grown = grown || now.Requests > last[token]
			last[token] = now.Requests
		}
		if grown {
			steps++
		}
	}
	if steps < 15 {
		t.Errorf("the window filled up in %d steps only", steps)
	}
	if n := tokens(t, s, from, to.Add(time.Hour)); n.Summary.TotalRequests <= sum(last) {
		t.Errorf("a window twice as long has %d requests, the first half of it %d", n.Summary.TotalRequests, sum(last))
	}
}

func sum(m map[string]int64) (n int64) {
	for _, v := range m {
		n += v
	}
	return n
}

// Nothing of a batch is reported before the batch ends, and all of it once the greatest delay has
// passed.
func TestLatenessIsBounded(t *testing.T) {
	c := &clock{}
	s := New(Config{Seed: 4, Tokens: 500, Rate: 50, Now: c.Now, Delay: time.Minute, DelayMax: 40 * time.Minute})
	from := at("2026-03-03T07:00:00Z")
	for batch := range 30 {
		from := from.Add(time.Duration(batch) * 10 * time.Minute)
		to := from.Add(10 * time.Minute)
		if v := s.TruthVisible(from, to, to.Add(30*time.Second-time.Nanosecond)); v.Requests != 0 {
			t.Fatalf("%d requests are reported before their batch's end and delay", v.Requests)
		}
		mustEqual(t, "late", s.TruthVisible(from, to, to.Add(40*time.Minute)), s.Truth(from, to))
	}
}

func TestImmediate(t *testing.T) {
	from, to := at("2026-03-03T07:00:00Z"), at("2026-03-03T07:30:00Z")
	s := New(Config{Seed: 4, Tokens: 500, Rate: 50, Immediate: true})
	for now := from.Add(time.Second / 2); now.Before(to); now = now.Add(97 * time.Second) {
		mustEqual(t, "visible", s.TruthVisible(from, to, now), s.Truth(from, now.Add(time.Nanosecond)))
	}
}

func TestWindowsAddUp(t *testing.T) {
	from := at("2026-03-03T07:00:00Z")
	c := &clock{now: from.Add(24 * time.Hour)}
	for name, cfg := range kinds(c) {
		t.Run(name, func(t *testing.T) {
			s := New(cfg)
			inject(s, from.Add(-time.Hour), from.Add(3*time.Hour))
			seam := time.Duration(0)
			if cfg.InclusiveEnd {
				seam = time.Minute
			}
			total := tokens(t, s, from, from.Add(2*time.Hour)).Summary.TotalRequests
			var sum int64
			for m := time.Duration(0); m < 2*time.Hour; m += 7*time.Minute + 30*time.Minute {
				end := min(m+37*time.Minute, 2*time.Hour+seam)
				sum += tokens(t, s, from.Add(m), from.Add(end-seam)).Summary.TotalRequests
			}
			if total != sum || total == 0 {
				t.Errorf("the window has %d requests, its spans %d", total, sum)
			}
		})
	}
}

func TestInclusiveEnd(t *testing.T) {
	c := &clock{now: at("2026-03-03T12:00:00Z")}
	for _, inclusive := range []bool{false, true} {
		s := New(Config{Now: c.Now, InclusiveEnd: inclusive})
		s.Add(
			Event{At: at("2026-03-03T07:00:00Z"), Token: "a", N: 1},
			Event{At: at("2026-03-03T07:29:59.999Z"), Token: "a", N: 10},
			Event{At: at("2026-03-03T07:30:00Z"), Token: "a", N: 100},
			Event{At: at("2026-03-03T07:30:59Z"), Token: "a", N: 1000},
			Event{At: at("2026-03-03T07:31:00Z"), Token: "a", N: 10000},
		)
		want := int64(11)
		if inclusive {
			want = 1111
		}
		if got := tokensOfDates(t, s, "2026-03-03T07:00", "2026-03-03T07:30").Summary.TotalRequests; got != want {
			t.Errorf("inclusive %v: %d requests, want %d", inclusive, got, want)
		}
	}
}

// Berlin's clock goes back from 03:00 to 02:00 at 01:00 UTC on 2026-10-25, and forward from 02:00
// to 03:00 at 01:00 UTC on 2026-03-29.
func TestChangesOfTheClock(t *testing.T) {
	c := &clock{now: at("2026-11-01T00:00:00Z")}
	events := []Event{
		{At: at("2026-10-24T23:30:00Z"), Token: "a", N: 1},    // 01:30 CEST
		{At: at("2026-10-25T00:10:00Z"), Token: "a", N: 10},   // 02:10 CEST
		{At: at("2026-10-25T00:50:00Z"), Token: "a", N: 100},  // 02:50 CEST
		{At: at("2026-10-25T01:10:00Z"), Token: "a", N: 1e3},  // 02:10 CET
		{At: at("2026-10-25T01:50:00Z"), Token: "a", N: 1e4},  // 02:50 CET
		{At: at("2026-10-25T02:10:00Z"), Token: "a", N: 1e5},  // 03:10 CET
		{At: at("2026-03-29T00:50:00Z"), Token: "a", N: 1e6},  // 01:50 CET
		{At: at("2026-03-29T01:10:00Z"), Token: "a", N: 1e7},  // 03:10 CEST
		{At: at("2026-03-29T01:50:00Z"), Token: "a", N: 1e8},  // 03:50 CEST
		{At: at("2026-03-29T02:10:00Z"), Token: "a", N: 1e9},  // 04:10 CEST
		{At: at("2026-03-28T23:10:00Z"), Token: "a", N: 1e10}, // 00:10 CET
	}
	for _, test := range []struct {
		earlier, later string
		instants, wall int64
	}{
		{"2026-10-25T01:00", "2026-10-25T02:00", 1, 1},
		{"2026-10-25T02:00", "2026-10-25T02:30", 10, 1010},
		{"2026-10-25T02:30", "2026-10-25T03:00", 11100, 10100}, // from the first 02:30 to the only 03:00
		{"2026-10-25T02:00", "2026-10-25T03:00", 11110, 11110},
		{"2026-10-25T03:00", "2026-10-25T04:00", 1e5, 1e5},
		{"2026-10-25T01:00", "2026-10-25T04:00", 111111, 111111},
		{"2026-03-29T01:00", "2026-03-29T02:00", 1e6, 1e6},
		{"2026-03-29T01:00", "2026-03-29T03:00", 1e6, 1e6},
		{"2026-03-29T03:00", "2026-03-29T04:00", 1.1e8, 1.1e8},
		{"2026-03-29T00:00", "2026-03-29T05:00", 11111e6, 11111e6},
		{"2026-03-29T02:00", "2026-03-29T02:30", 1e7, 0}, // skipped: read as 03:00 to 03:30
		{"2026-03-29T02:30", "2026-03-29T03:00", 0, 0},   // read as 03:30 to 03:00
	} {
		for _, wall := range []bool{false, true} {
			s := New(Config{Location: zone("Europe/Berlin"), WallClock: wall, Now: c.Now})
			s.Add(events...)
			want := test.instants
			if wall {
				want = test.wall
			}
			if got := tokensOfDates(t, s, test.earlier, test.later).Summary.TotalRequests; got != want {
				t.Errorf("%s to %s, wall clock %v: %d requests, want %d", test.earlier, test.later, wall, got, want)
			}
		}
	}
}

// The generated traffic obeys the clock as added requests do.
func TestFoldOfGeneratedTraffic(t *testing.T) {
	c := &clock{now: at("2026-11-01T00:00:00Z")}
	cfg := Config{Seed: 1, Tokens: 50, TokenLife: 40 * time.Minute, Rate: 60, Location: zone("Europe/Berlin"), Now: c.Now}
	instants := New(cfg)
	cfg.WallClock = true
	wall := New(cfg)
	first := instants.TruthRequests(at("2026-10-25T00:00:00Z"), at("2026-10-25T00:30:00Z"))
	second := instants.TruthRequests(at("2026-10-25T01:00:00Z"), at("2026-10-25T01:30:00Z"))
	if got := addUp(t, tokensOfDates(t, instants, "2026-10-25T02:00", "2026-10-25T02:30")).Requests; got != first {
		t.Errorf("instants: %d, want %d", got, first)
	}
	if got := addUp(t, tokensOfDates(t, wall, "2026-10-25T02:00", "2026-10-25T02:30")).Requests; got != first+second {
		t.Errorf("wall clock: %d, want %d and %d", got, first, second)
	}
}

func TestWithdrawnAndMoved(t *testing.T) {
	from, to := at("2026-03-03T07:00:00Z"), at("2026-03-03T08:00:00Z")
	c := &clock{}
	s := New(Config{Now: c.Now})
	moved := to.Add(10 * time.Minute)
	s.Add(
		Event{At: from.Add(time.Minute), VisibleUntil: moved, Token: "a", N: 5},
		Event{At: from.Add(time.Minute), VisibleFrom: moved, Token: "b", N: 5},
		Event{At: from.Add(2 * time.Minute), VisibleFrom: to, VisibleUntil: moved, Token: "c", N: 7},
	)
	for _, test := range []struct {
		at      time.Time
		a, b, c int64
	}{
		{from, 0, 0, 0},
		{from.Add(time.Minute), 5, 0, 0},
		{to, 5, 0, 7},
		{moved, 0, 5, 0},
	} {
		c.now = test.at
		got := addUp(t, tokens(t, s, from, to))
		for token, want := range map[string]int64{"a": test.a, "b": test.b, "c": test.c} {
			if n := got.ByToken[token]; (n == nil) != (want == 0) || n != nil && n.Requests != want {
				t.Errorf("at %s %s has %+v, want %d", test.at, token, n, want)
			}
		}
	}
	if truth := s.Truth(from, to); truth.Requests != 5 || truth.ByToken["b"].Requests != 5 {
		t.Errorf("truth: %+v", truth)
	}
}

func TestDeterminism(t *testing.T) {
	from, to := at("2026-03-03T07:00:00Z"), at("2026-03-03T09:00:00Z")
	c := &clock{now: to}
	cfg := Config{Seed: 1, Tokens: 100, TokenLife: time.Hour, Rate: 20, Now: c.Now, AttackEvery: time.Minute}
	one, two := New(cfg), New(cfg)
	a := written(t, one, from, to)
	written(t, two, from.Add(-time.Hour), to) // what was asked before doesn't matter
	if b := written(t, two, from, to); a != b {
		t.Error("the same seed leads to other bytes")
	}
	if !reflect.DeepEqual(one.Attacks(from, to), two.Attacks(from, to)) {
		t.Error("the same seed leads to other attacks")
	}
	cfg.Seed = 2
	if b := written(t, New(cfg), from, to); a == b {
		t.Error("another seed leads to the same bytes")
	}
	// The order of rows changes from request to request.
	c.now = to.Add(time.Nanosecond)
	if b := written(t, one, from, to); a == b {
		t.Error("rows are in the same order again")
	}
}

// The bytes but for names and numbers are those of the published samples.
func TestPublishedShape(t *testing.T) {
	from, to := at("2018-02-13T18:00:00Z"), at("2018-02-18T18:00:00Z")
	c := &clock{now: to}
	s := New(Config{Now: c.Now, APIs: []string{"atm_app_oauth"}})
	s.Add(Event{At: from, Token: "token_highresptime", N: 2, URL: "/atm_app_oauth/longresponse"})
	s.AddAttack(Attack{Token: "token_highresptime", Type: "Data Poisoning Attack", APIs: []string{"atm_app_oauth", "2_atm_app_oauth"}, From: from, To: to})
	row := ` "token": "token_highresptime",
 "total_requests": 2,
 "ip_list": [
 {
 "ip": "127.0.0.1",
 "total_requests": 2,
 "devices": {
 "UNKNOWN": 2
 },
 "methods": {
 "GET": 2
 },
 "urls": {
 "/atm_app_oauth/longresponse": 2
 },
 "apis": {
 "atm_app_oauth": 2
 }
 }
 ]
 }`
	want := `{
 "company": "ping identity",
 "name": "oauth_token_metrics",
 "description": "This report contains a summary and detailed oauth token
  metrics across all APIs",
 "earlier_date": "Tue Feb 13 18:00:00:000 2018",
 "later_date": "Sun Feb 18 18:00:00:000 2018",
 "summary": {
 "tokens": 1,
 "total_requests": 2
 },
 "details": [
 {
` + row + `
 ]
}
`
	if got := ask(t, s, "/v4/abs/oauthtokens?"+windowQuery(from, to)).body; got != want {
		t.Errorf("oauthtokens:\n%s\nwant:\n%s", got, want)
	}
	want = `{
 "company": "ping identity",
 "name": "api_abs_token",
 "description": "This report contains a summary and detailed information on
  metrics, attacks and anomalies for the specified token across all APIs.",
 "earlier_date": "Tue Feb 13 18:00:00:000 2018",
 "later_date": "Sun Feb 18 18:00:00:000 2018",
 "summary": {
 "total_requests": 2,
 "total_attacks": 1,
 "total_anomalies": 0
 },
 "details": {
 "metrics": {
` + row + `,
 "attack_types": {
 "Data Poisoning Attack": [
 "atm_app_oauth",
 "2_atm_app_oauth"
 ]
 },
 "anomaly_types": {}
 }
}
`
	if got := ask(t, s, "/v4/abs?"+windowQuery(from, to)+"&token=token_highresptime").body; got != want {
		t.Errorf("forensics:\n%s\nwant:\n%s", got, want)
	}
	if json.Valid([]byte(want)) {
		t.Error("the raw line break is gone")
	}
	empty := ask(t, s, "/v4/abs/oauthtokens?"+windowQuery(to, to))
	if !strings.HasSuffix(empty.body, "\"tokens\": 0,\n \"total_requests\": 0\n },\n \"details\": []\n}\n") {
		t.Errorf("an empty report:\n%s", empty.body)
	}
}

func TestTokenNames(t *testing.T) {
	for _, longest := range []int{880, 36, 1, 5000} {
		s := New(Config{Seed: 1, Tokens: 1000, TokenLife: time.Hour, Rate: 1, MaxTokenLen: longest})
		seen, special := map[string]bool{}, 0
		for slot := range uint32(1000) {
			id := tokenID{slot, int32(slot)*7 - 300}
			name := string(s.traffic.appendToken(nil, id))
			if n := len(name); n < minTokenLen || n > max(longest, minTokenLen) {
				t.Fatalf("a token of %d characters", n)
			}
			if seen[name] {
				t.Fatalf("two tokens are named %s", name)
			}
			seen[name] = true
			if strings.ContainsAny(name, "+/") {
				special++
			}
			if got, ok := s.traffic.find(name); !ok || got != id {
				t.Fatalf("%s is found as %v, %v", name, got, ok)
			}
			for _, other := range []string{name[:len(name)-1], name + "A", "X" + name[1:], strings.ToLower(name)} {
				if _, ok := s.traffic.find(other); ok && other != name {
					t.Fatalf("%s is found too", other)
				}
			}
		}
		if longest < jwtLen && special < 50 {
			t.Errorf("%d of 1000 tokens need escaping in a URL", special)
		}
	}
}

func TestRateIsAsConfigured(t *testing.T) {
	from := at("2026-03-03T00:00:00Z")
	for _, rate := range []float64{0.05, 2, 300} {
		var n int64
		for seed := range uint64(10) { // the few busiest tokens make each seed differ by some percents
			s := New(Config{Seed: seed, Tokens: 5000, TokenLife: 6 * time.Hour, Rate: rate})
			n += s.TruthRequests(from, from.Add(time.Hour))
		}
		if got := float64(n) / 50000; got < 0.9*rate || got > 1.1*rate {
			t.Errorf("%.3f requests per token and hour, want %v", got, rate)
		}
	}
	var all []int64
	for _, tok := range New(Config{Seed: 1, Tokens: 5000, Rate: 300}).Truth(from, from.Add(time.Hour)).ByToken {
		all = append(all, tok.Requests)
	}
	slices.Sort(all)
	if all[len(all)-1] < 100*all[len(all)/2] {
		t.Errorf("the busiest token has %d requests, the median %d", all[len(all)-1], all[len(all)/2])
	}
}

// As many tokens live at any time as configured, and others follow them.
func TestChurn(t *testing.T) {
	from := at("2026-03-03T00:00:00Z")
	s := New(Config{Seed: 1, Tokens: 1000, TokenLife: time.Hour, Rate: 600})
	now := s.Truth(from, from.Add(time.Minute)).ByToken
	later := s.Truth(from.Add(time.Hour+time.Minute), from.Add(time.Hour+2*time.Minute)).ByToken
	for token := range now {
		if later[token] != nil {
			t.Fatalf("%s lives for more than an hour", token)
		}
	}
	if n := len(s.Truth(from, from.Add(time.Hour)).ByToken); n < 1600 || n > 2000 {
		t.Errorf("%d tokens in an hour, want nearly 2000", n)
	}
}

func TestRestrictedUser(t *testing.T) {
	from, to := at("2026-03-03T07:00:00Z"), at("2026-03-03T09:00:00Z")
	c := &clock{now: at("2026-03-04T07:00:00Z")}
	s := New(Config{Seed: 3, Tokens: 20, Rate: 20, Now: c.Now})
	s.Add(Event{At: from, Token: "token1"})
	s.AddAttack(Attack{Token: "token1", From: from, To: to})
	ru := []string{"x-abs-ak", "", "x-abs-sk", "", "x-abs-ak-ru", "abs_ak_ru", "x-abs-sk-ru", "abs_sk_ru"}
	var r tokensReport
	decode(t, ask(t, s, "/v4/abs/oauthtokens?"+windowQuery(from, to), ru...).body, &r)
	got, truth := addUp(t, r), s.Truth(from, to)
	if len(got.ByToken) != len(truth.ByToken) {
		t.Fatalf("%d tokens, want %d", len(got.ByToken), len(truth.ByToken))
	}
	hidden := func(token string) string {
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:])
	}
	for token, want := range truth.ByToken {
		if n := got.ByToken[hidden(token)]; n == nil || n.Requests != want.Requests {
			t.Fatalf("%s: %+v, want %d requests", token, n, want.Requests)
		}
	}
	for _, target := range []string{"/v4/abs/attacklist?", "/v4/abs/attack?type=0&"} {
		a := ask(t, s, target+windowQuery(from, to), ru...)
		if a.status != http.StatusOK || !strings.Contains(a.body, hidden("token1")) || strings.Contains(a.body, `"token1"`) {
			t.Errorf("%s: %d\n%s", target, a.status, a.body)
		}
	}
	if a := ask(t, s, "/v4/abs?token=token1&"+windowQuery(from, to), ru...); a.status != http.StatusForbidden {
		t.Errorf("forensics: %d", a.status)
	}
}

func TestWriteReport(t *testing.T) {
	var b bytes.Buffer
	requests, err := WriteReport(&b, 1, 2000)
	if err != nil {
		t.Fatal(err)
	}
	size := b.Len()
	var r tokensReport
	decode(t, b.String(), &r)
	if got := addUp(t, r); got.Requests != requests || len(got.ByToken) != 2000 {
		t.Errorf("%d requests of %d tokens, want %d of 2000", got.Requests, len(got.ByToken), requests)
	}
	for _, row := range r.Details {
		urls := map[string]bool{}
		for _, ip := range row.IPList {
			for u := range ip.URLs {
				urls[u] = true
			}
		}
		if n := len(row.IPList); n < 1 || n > 4 || len(urls) < 2 || len(urls) > 16 || len(row.Token) < 36 || len(row.Token) > 880 {
			t.Fatalf("a row with %d IPs, %d URLs and a token of %d characters", n, len(urls), len(row.Token))
		}
	}
	if per := size / 2000; per < 1350 || per > 1550 {
		t.Errorf("%d bytes a token, want about 1450", per)
	}
}

// Memory does not grow with the number of tokens.
func TestManyTokensStream(t *testing.T) {
	tokens := 100_000
	if testing.Short() {
		tokens = 20_000
	}
	to := at("2026-03-03T09:00:00Z")
	c := &clock{now: to.Add(3 * time.Hour)}
	s := New(Config{Seed: 3, Tokens: tokens, TokenLife: time.Hour, Rate: 2, Now: c.Now, DelayMax: time.Hour})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var n counter
	if err := s.WriteTokens(t.Context(), &n, to.Add(-30*time.Minute), to); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if n.n < int64(tokens)*200 {
		t.Errorf("%d bytes only", n.n)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes allocated for a report of %d", used, n.n)
	}
}
