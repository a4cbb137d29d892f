package ledger

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Limits that do not depend on how fast the machine is.
const (
	limitRow          = 0    // allocations of a row in the steady state, tracked or not
	limitReading      = 4    // allocations of a whole reading in the steady state
	limitCandidates   = 24   // of one that may displace tokens: the idle ones are sorted
	limitStage        = 32   // allocations of a Stage without new series
	limitSample       = 18   // bytes that such a Stage allocates for each of its series
	limitNewToken     = 4    // allocations of a newly tracked token, its series included
	limitTracked      = 1900 // bytes for a tracked token: 8 series and samples, counts of six slots
	limitSlot         = 160  // bytes that one more open slot holds of a tracked token
	limitUntracked    = 0    // bytes that stay for a token that is not tracked
	tokensOfLimits    = 5000
	seriesOfEachToken = 8
)

var limitsNow = time.Date(2026, time.March, 3, 12, 10, 0, 0, time.UTC)

func limitsLedger(maxTokens int) *Ledger {
	l := New(Config{
		Target: "t", Zone: Zone{Location: time.UTC}, MaxTokens: maxTokens, MaxValues: 100,
		SlotTimes: SlotTimes{
			Slot: 30 * time.Minute, Reread: 10 * time.Minute, Settle: 2 * time.Hour, MaxBackfill: 24 * time.Hour, Lookback: 10 * time.Minute,
		},
		Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device}, DisplaceAfter: 30 * time.Minute, Expire: 2 * time.Hour, ZeroFor: time.Minute,
	})
	l.Advance(limitsNow, 0)
	return l
}

// limitsRow is a row of two IPs that used the same methods, APIs and devices.
func limitsRow(n int64) *abs.Row {
	row := &abs.Row{Requests: 6 * n}
	for range 2 {
		for _, m := range []string{"GET", "PUT", "POST"} {
			row.Methods = append(row.Methods, abs.Count{Key: []byte(m), N: n})
		}
		for _, a := range []string{"shop", "accounts"} {
			row.APIs = append(row.APIs, abs.Count{Key: []byte(a), N: n})
		}
		for _, d := range []string{"LINUX", "UNKNOWN"} {
			row.Devices = append(row.Devices, abs.Count{Key: []byte(d), N: n})
		}
	}
	return row
}

func limitsID(i int) tokenid.ID { return tokenid.ID(uint64(i+1) * 0x9e3779b97f4a7c15) }

// currentJob reads the slot that has not ended.
func currentJob(t *testing.T, l *Ledger) Job {
	t.Helper()
	for _, s := range l.slots {
		if j := (Job{Span: s.Span, slot: s, of: s.Span, Current: true}); len(s.spans) == 1 && !s.spans[0].baseline {
			return j
		}
	}
	t.Fatal("no slot to count from")
	return Job{}
}

func readAll(l *Ledger, j Job, at time.Time, tokens int, row *abs.Row) {
	r := l.Begin(j, at)
	for i := range tokens {
		r.Add(limitsID(i), row)
	}
	l.Apply(r, 1000)
}

// Rows of tokens that are tracked already cost nothing but time, and so do those of tokens that are
// not.
func TestRowLimits(t *testing.T) {
	for _, tracked := range []int{0, 100, tokensOfLimits} {
		l := limitsLedger(tracked)
		j := currentJob(t, l)
		for n := range int64(3) { // until all buffers are as large as they become
			readAll(l, j, limitsNow, tokensOfLimits, limitsRow(n+1))
		}
		r := l.Begin(j, limitsNow)
		row := limitsRow(9)
		i := 0
		if got := testing.AllocsPerRun(tokensOfLimits-1, func() { r.Add(limitsID(i), row); i++ }); got > limitRow {
			t.Errorf("%d tracked: a row allocates %v times", tracked, got)
		}
		l.Discard(r)
		n := int64(10)
		if got := testing.AllocsPerRun(5, func() {
			n++
			row.Requests = 6 * n
			readAll(l, j, limitsNow, tokensOfLimits, row)
		}); got > limitReading {
			t.Errorf("%d tracked: a reading of %d tokens allocates %v times, want at most %d", tracked, tokensOfLimits, got, limitReading)
		}
	}
}

// The rows of tokens that may yet be tracked cost nothing either.
func TestCandidateLimits(t *testing.T) {
	const tracked = 100
	l := limitsLedger(tracked)
	l.c.DisplaceAfter = 0
	j := currentJob(t, l)
	row := limitsRow(1)
	readAll(l, j, limitsNow, tracked, row)
	for _, at := range []time.Duration{0, time.Hour} { // exposed as 0, and with their values
		l.Stage(limitsNow.Add(at), limitsNow.Add(at))
		l.Published()
	}
	add := func(count func(func()) float64) float64 {
		r := l.Begin(j, limitsNow)
		defer l.Discard(r)
		if r.candidates.Limit() != tracked {
			t.Fatalf("%d tokens may be admitted, want %d", r.candidates.Limit(), tracked)
		}
		i := tracked
		return count(func() {
			row.Requests = int64(i) // each evicts another
			r.Add(limitsID(i), row)
			i++
		})
	}
	once := func(f func()) float64 {
		for range tokensOfLimits {
			f()
		}
		return 0
	}
	for range 3 {
		add(once)
	}
	if got := add(func(f func()) float64 { return testing.AllocsPerRun(tokensOfLimits-1, f) }); got > limitRow {
		t.Errorf("the row of a candidate allocates %v times", got)
	}
	if got := testing.AllocsPerRun(5, func() { add(once) }); got > limitCandidates {
		t.Errorf("a reading of %d candidates allocates %v times, want at most %d", tokensOfLimits, got, limitCandidates)
	}
}

// A snapshot is as many samples as there are series, and nothing else.
func TestStageLimits(t *testing.T) {
	l := limitsLedger(tokensOfLimits)
	j := currentJob(t, l)
	readAll(l, j, limitsNow, tokensOfLimits, limitsRow(1))
	var blocks []metrics.Block
	allocations := testing.AllocsPerRun(1, func() {
		l.SaveFailed() // nothing was exposed, and each Stage makes all series
		blocks = l.Stage(limitsNow, limitsNow)
	})
	if got := allocations / tokensOfLimits; got > limitNewToken {
		t.Errorf("a new token allocates %v times, want at most %d", got, limitNewToken)
	}
	l.Published()
	series := 0
	for _, b := range blocks {
		series += len(b.Samples)
	}
	if series < seriesOfEachToken*tokensOfLimits {
		t.Fatalf("only %d series", series)
	}
	now := limitsNow
	stage := func() {
		now = now.Add(time.Minute)
		blocks = l.Stage(now, now)
		l.Published()
	}
	if got := testing.AllocsPerRun(5, stage); got > limitStage {
		t.Errorf("a Stage of %d series allocates %v times, want at most %d", series, got, limitStage)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stage()
	runtime.ReadMemStats(&after)
	if got := float64(after.TotalAlloc-before.TotalAlloc) / float64(series); got > limitSample {
		t.Errorf("a Stage allocates %.1f bytes a series, want at most %d", got, limitSample)
	}
}

// What stays is for tracked tokens, times the open slots; for others nothing does.
func TestHeldLimits(t *testing.T) {
	held := func(tracked, tokens, slots int) uint64 {
		before := heapNow()
		l := limitsLedger(tracked)
		var blocks []metrics.Block
		for p := range slots {
			at := limitsNow.Add(time.Duration(p) * 30 * time.Minute)
			l.Advance(at, 30*time.Minute)
			var j Job
			for _, s := range l.slots {
				if !s.spans[0].baseline && !s.From.After(at) {
					j = Job{Span: s.Span, slot: s, of: s.Span, Current: true}
				}
			}
			readAll(l, j, at, tokens, limitsRow(1))
			blocks = l.Stage(at, at)
			l.Published()
		}
		after := heapNow()
		runtime.KeepAlive(l)
		runtime.KeepAlive(blocks)
		if after < before {
			return 0
		}
		return after - before
	}
	one := held(tokensOfLimits, tokensOfLimits, 1)
	if got := (held(3*tokensOfLimits, 3*tokensOfLimits, 1) - one) / 2 / tokensOfLimits; got > limitTracked {
		t.Errorf("a tracked token holds %d bytes, want at most %d", got, limitTracked)
	}
	if got := (held(tokensOfLimits, tokensOfLimits, 4) - one) / 3 / tokensOfLimits; got > limitSlot {
		t.Errorf("an open slot holds %d bytes of a tracked token, want at most %d", got, limitSlot)
	}
	few, many := held(10, 100, 1), held(10, 20*tokensOfLimits, 1)
	const noise = 64 << 10
	if many > few+noise+limitUntracked*20*tokensOfLimits {
		t.Errorf("%d tokens that are not tracked hold %d bytes, 100 hold %d", 20*tokensOfLimits, many, few)
	}
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A high limit costs nothing: memory follows the tokens that are there, and is given back when they
// leave.
func TestMemoryFollowsTheTokens(t *testing.T) {
	const (
		limit     = 10_000_000
		few       = 20
		many      = 50_000
		limitHeap = 8 << 20
	)
	base := heapNow()
	l := limitsLedger(limit)
	held := func() uint64 { return heapNow() - min(base, heapNow()) }
	row := limitsRow(1)
	for i := range l.slots { // all open ones
		s := l.slots[i]
		readAll(l, Job{Span: s.Span, slot: s, of: s.spans[0].Span}, limitsNow, few, row)
	}
	if n := held(); l.Tracked() != few || n > limitHeap {
		t.Errorf("%d tokens of %d hold %d bytes, want %d at most", l.Tracked(), limit, n, limitHeap)
	}

	j := currentJob(t, l)
	now := limitsNow
	readAll(l, j, now, many, row)
	if l.Tracked() != many {
		t.Fatalf("%d tokens are tracked", l.Tracked())
	}
	for range 3 { // exposed as 0, and with their values
		now = now.Add(2 * time.Minute)
		l.Stage(now, now)
		l.Published()
	}
	total := l.Requests()
	for n := range int64(20) { // one token goes on, the others leave
		now = now.Add(10 * time.Minute)
		l.Advance(now, 10*time.Minute)
		again := limitsRow(many + n)
		readAll(l, currentJob(t, l), now, 1, again)
		l.Stage(now, now)
		l.Published()
	}
	if l.Tracked() != 1 || l.tracked.size() > 2*fewIndexes {
		t.Errorf("%d tokens are tracked by %d indexes", l.Tracked(), l.tracked.size())
	}
	if n := held(); n > limitHeap {
		t.Errorf("one token of %d holds %d bytes, want %d at most", limit, n, limitHeap)
	}
	if l.Requests() <= total {
		t.Error("nothing was counted")
	}
	for _, s := range l.slots {
		if n := len(s.counted.Tracked); n != 0 && n != l.tracked.size() {
			t.Errorf("a slot has %d counts for %d indexes", n, l.tracked.size())
		}
	}
	runtime.KeepAlive(l)
}

// A token keeps its counts when the indexes are numbered anew: what is reported again is not
// counted again.
func TestShrinkKeepsCounts(t *testing.T) {
	l := limitsLedger(1000)
	j := currentJob(t, l)
	readAll(l, j, limitsNow, 100, limitsRow(5))
	stay := []int{3, 57, 99}
	for _, i := range l.tracked.sorted() {
		id := l.tracked.counters[i].ID
		if !slices.ContainsFunc(stay, func(n int) bool { return limitsID(n) == id }) {
			l.leave(i)
		}
	}
	before, counted := l.Requests(), l.tracked.counters[l.tracked.index[limitsID(57)]].Total.Value
	size := l.tracked.size()
	l.shrink()
	if l.tracked.size() >= size || l.Tracked() != len(stay) {
		t.Fatalf("%d of %d indexes are left, for %d tokens", l.tracked.size(), size, l.Tracked())
	}
	readAll(l, j, limitsNow, 100, limitsRow(5))
	if l.Requests() != before {
		t.Errorf("%d counted, %d after the same report", before, l.Requests())
	}
	if n := l.tracked.counters[l.tracked.index[limitsID(57)]].Total.Value; n != counted || n == 0 {
		t.Errorf("the token has %d, had %d", n, counted)
	}
}

// A long pause leaves many slots, each to be read in as many spans as the last ones were: the time
// to find what is due grows with the spans, not with their square.
func TestDueIsLinear(t *testing.T) {
	due := func(slot time.Duration) time.Duration {
		l := New(Config{
			Target: "t", Zone: Zone{Location: time.UTC}, MaxTokens: 10, MaxValues: 10,
			SlotTimes: SlotTimes{
				Slot: slot, Reread: 10 * time.Minute, Settle: 2 * time.Hour, MaxBackfill: 60 * 24 * time.Hour, Lookback: 30 * 24 * time.Hour,
			},
		})
		l.schedule.length = time.Minute
		l.Advance(limitsNow, 0)
		jobs := l.Due(limitsNow)
		if len(jobs) < 30*24*60 {
			t.Fatalf("%d jobs", len(jobs))
		}
		begun := time.Now()
		l.probe(jobs, limitsNow) // which looks at the span of each job
		return time.Since(begun)
	}
	few, many := time.Hour, time.Hour
	for range 20 { // the process may have to wait for a processor in the middle of any of them
		few, many = min(few, due(time.Hour)), min(many, due(24*time.Hour))
		if many <= 5*few {
			return
		}
	}
	t.Errorf("%v for slots of 60 spans, %v for as many spans in slots of 1440", few, many)
}
