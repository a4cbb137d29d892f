package findings

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// held is what findings cost after a flood.
type held struct {
	series, scrape, log, state int
	heap                       uint64
}

func (r *rig) held() held {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h := held{log: r.log.Len(), heap: m.HeapAlloc >> 20}
	blocks := append(r.Gauges(r.clock.now), r.Stage(r.clock.now, r.clock.now)...)
	r.Published()
	for _, b := range blocks {
		h.series += len(b.Samples)
	}
	e := metrics.NewExposition(prometheus.NewRegistry(), metrics.Options{})
	e.Publish("t", &metrics.Snapshot{Blocks: blocks})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "/metrics", nil))
	h.scrape = w.Body.Len()
	var state bytes.Buffer
	if err := gob.NewEncoder(&state).Encode(r.State()); err != nil {
		r.t.Fatal(err)
	}
	h.state = state.Len()
	r.t.Logf("%d series, %d bytes of a scrape, %d of the log, %d of state, %d MiB of heap", h.series, h.scrape, h.log, h.state, h.heap)
	return h
}

func (r *rig) atMost(want held) {
	r.t.Helper()
	if got := r.held(); got.series > want.series || got.scrape > want.scrape || got.log > want.log || got.state > want.state || got.heap > want.heap {
		r.t.Errorf("held %+v, want at most %+v", got, want)
	}
}

func madeUp(types, apis int) []abs.Finding {
	all := make([]abs.Finding, types)
	for i := range all {
		all[i].Type = fmt.Sprintf("made up %05d", i)
		for n := range apis {
			all[i].APIs = append(all[i].APIs, fmt.Sprintf("api%03d", n))
		}
	}
	return all
}

const critical = "Stolen Token Attack Type 2" // of the catalogue

// A client that makes up types takes no series for ever, and hides no severity.
func TestFloodOfTypes(t *testing.T) {
	long(t)
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	flood := append(madeUp(20_000, 1), abs.Finding{Type: critical, APIs: []string{"shop"}})
	r.abs.forensics["flood"] = abs.Forensics{Attacks: 20_001, AttackTypes: flood}
	r.window(true, "flood")
	r.cycle()
	r.atMost(held{series: 5000, scrape: 500 << 10, log: 100 << 10, state: 200 << 10, heap: 64})
	if got := r.series(metrics.AttackTokens); !slices.Contains(got, critical+" shop 1") {
		t.Errorf("the one attack that matters has no series among %d", len(got))
	}
	if got := r.series(metrics.TokenAttackActive); len(got) != maxTokenPairs || !strings.Contains(strings.Join(got, "\n"), critical) {
		t.Errorf("the token has %d series: %q", len(got), got)
	}
	// While all pairs are taken, one on another API still shows its type.
	r.abs.forensics["late"] = abs.Forensics{Attacks: 1, AttackTypes: []abs.Finding{{Type: "Data Exfiltration Attack", APIs: []string{"bank"}}}}
	r.window(true, "flood", "late")
	r.cycle()
	if got := r.series(metrics.AttackTokens); !slices.Contains(got, "Data Exfiltration Attack _other 1") {
		t.Errorf("an attack after the flood has no series among %d", len(got))
	}
	r.want(metrics.FlaggedTokens, " 2")
	// Once it is over all of that goes, after a restart too.
	r.abs.forensics["flood"], r.abs.forensics["late"] = abs.Forensics{}, abs.Forensics{}
	for range 75 {
		r.window(true, "flood", "late")
		r.cycle()
		r.series(metrics.AttackTokens)
	}
	next := newRig(t, func(c *Config) { c.AttackReports = nil })
	next.clock.now = r.clock.now
	if err := next.Restore(r.State()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*rig{r, next} {
		r.want(metrics.AttackDetections)
		r.want(metrics.AttackTokens)
		r.want(metrics.AttackTypeInfo)
	}
}

// 2 million findings are 20 tokens with 20 series each, all of which are counted.
func TestFloodOfPairs(t *testing.T) {
	long(t)
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	flood := madeUp(1000, 100)
	var tokens []string
	for i := range 20 {
		tokens = append(tokens, fmt.Sprint("token", i))
		r.abs.forensics[tokens[i]] = abs.Forensics{Attacks: 1000, AttackTypes: flood}
	}
	r.window(true, tokens...)
	r.cycle()
	r.atMost(held{series: 5000, scrape: 600 << 10, log: 200 << 10, state: 2 << 20, heap: 64})
	r.want(metrics.FlaggedTokens, " 20")
	if got := len(r.series(metrics.TokenAttackActive)); got != 20*maxTokenPairs {
		t.Errorf("%d series of tokens", got)
	}
	if got := r.series(metrics.AttackTokens); !strings.HasSuffix(got[0], " 20") {
		t.Errorf("%q: not all tokens are counted", got[0])
	}
	r.clock.now = r.clock.now.Add(2 * time.Minute)
	if got := r.series(metrics.FindingsOverflow); len(got) != 1 || got[0] < " 1900000" {
		t.Errorf("overflow %q", got)
	}
}

// No label is longer than 128 bytes, whatever ABS names.
func TestLongNames(t *testing.T) {
	r := newRig(t, nil)
	long := strings.Repeat("ä", 1<<19)
	var apis []string
	for i := range 100 {
		apis = append(apis, fmt.Sprint(i, "x", long))
	}
	r.abs.forensics["a"] = abs.Forensics{
		Attacks: 1, AttackTypes: []abs.Finding{{Type: "t" + long, APIs: apis}}, AnomalyTypes: []abs.Finding{{Type: "u" + long, APIs: apis}},
	}
	r.abs.attacks[""] = []abs.FlaggedToken{{Token: []byte("a"), AttackType: "v" + long}}
	r.window(true, "a")
	r.cycle()
	r.abs.forensics, r.abs.attacks = nil, nil
	r.atMost(held{series: 600, scrape: 250 << 10, log: 20 << 10, state: 60 << 10, heap: 64})
	for _, b := range append(r.Gauges(r.clock.now), r.Stage(r.clock.now, r.clock.now)...) {
		for _, s := range b.Samples {
			for name, value := range s.Series.Labels() {
				if len(value) > 128 || strings.Contains(value, "\uFFFD") {
					t.Fatalf("%s: %s has %d bytes", b.Family.Name, name, len(value))
				}
			}
		}
	}
}

// long marks a test that takes or measures large answers, which has nothing for the race detector.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes large answers")
	}
}

// Three million tokens in one attack report.
func TestFloodOfTokens(t *testing.T) {
	long(t)
	r := newRig(t, func(c *Config) { c.Forensics = nil })
	const entries = 6_000_000 // each token twice
	r.abs.flood = func(flagged func(abs.FlaggedToken) error) error {
		for i := range entries {
			f := abs.FlaggedToken{Token: fmt.Appendf(nil, "token %d", i%(entries/2)), AttackType: "Sequence Attack"}
			if i >= entries/2 {
				f.AttackType = fmt.Sprint("made up ", i%50)
			}
			if err := flagged(f); err != nil {
				return err
			}
		}
		return nil
	}
	r.cycle()
	r.atMost(held{series: 5000, scrape: 600 << 10, log: 100 << 10, state: 12 << 20, heap: 180})
	r.want(metrics.FlaggedTokens, " 100000")
}

// The end of a cycle, or of the process, does not wait for the rest of a long report.
func TestLongReportIsCut(t *testing.T) {
	r := newRig(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	entries := 0
	r.abs.flood = func(flagged func(abs.FlaggedToken) error) error {
		for ; entries < 1000; entries++ {
			if entries == 10 {
				cancel()
			}
			if err := flagged(abs.FlaggedToken{Token: fmt.Append(nil, entries), AttackType: "Sequence Attack"}); err != nil {
				return err
			}
		}
		return nil
	}
	r.Run(ctx, r.clock.now.Add(r.cfg.Interval))
	if entries != 10 {
		t.Errorf("%d entries were read, though the cycle ended at the tenth", entries)
	}
	r.want(metrics.FlaggedTokens)
}

// Ten times the findings take at most fifteen times the time.
func TestFindingsAreLinear(t *testing.T) {
	long(t)
	shortest := func(types int) time.Duration {
		least := time.Duration(math.MaxInt64)
		answer := abs.Forensics{AttackTypes: madeUp(types, 1)}
		other := abs.Forensics{AttackTypes: madeUp(types+1, 1)[1:]}
		for range 5 {
			r := newRig(t, func(c *Config) { c.AttackReports = nil })
			runtime.GC()
			began := cpuTime(t)
			for n, report := range []abs.Forensics{answer, other, answer, {}, {}} {
				window := abs.WindowUntil(begin.Add(time.Duration(n)*time.Minute), time.Hour)
				r.emit(r.active.changedBy(1, report, window))
				r.Gauges(begin)
			}
			least = min(least, cpuTime(t)-began)
		}
		return least
	}
	few, many := shortest(8_000), shortest(80_000)
	t.Logf("8,000 types: %v, 80,000: %v", few, many)
	if many > 15*few {
		t.Errorf("8,000 types take %v, 80,000 take %v", few, many)
	}
}

// cpuTime is what the process has used of the processors: others that use them do not count.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Skip("no processor time: ", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (a *active) changedBy(id uint64, report abs.Forensics, w abs.Window) []metrics.Event {
	events, _ := a.answered(tokenid.ID(id), report, w, false, w.To)
	return events
}

// So they are where the API is named like what takes the place of the others.
func TestFloodOfTypesWithoutAPI(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AttackReports = nil })
	var tokens []string
	for k := range 20 {
		tokens = append(tokens, fmt.Sprint("token", k))
		flood := make([]abs.Finding, 1000)
		for i := range flood {
			flood[i] = abs.Finding{Type: fmt.Sprintf("made up %d %d", k, i), APIs: []string{metrics.Other}}
		}
		r.abs.forensics[tokens[k]] = abs.Forensics{Attacks: 1000, AttackTypes: flood}
	}
	r.window(true, tokens...)
	r.cycle()
	if got := len(r.active.pairs.all); got != maxUnknown+1 { // _other of all the others
		t.Errorf("%d pairs", got)
	}
	r.atMost(held{series: 2000, scrape: 300 << 10, log: 100 << 10, state: 300 << 10, heap: 64})
}
