package ledger

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

var runs = flag.Uint64("model.runs", 300, "how many runs of the model")

// event is requests as the model of an ABS holds them: visible from a time on, and perhaps only
// until another.
type event struct {
	at, from, until     time.Time
	token               tokenid.ID
	method, api, device string
	url                 string
	n                   int64
}

// world is one run: what was requested, and how ABS and the network behave.
type world struct {
	rng       *rand.Rand
	start     time.Time
	minutes   int
	events    []event
	byMinute  map[int64][]event
	failures  float64 // share of readings that fail
	rowCap    int     // rows in a report past which it is refused; 0: none
	slow      bool    // some of the failures are time-outs
	truncates bool    // past rowCap ABS leaves rows out instead, but not out of the summary
	takesBack bool    // some requests are taken back, or moved to another token
	maxTokens int
	maxValues int
	apis      int              // that come and go, beside those that stay
	restarts  bool             // now and then it is saved and restored
	choices   []counts.Choices // of the values; each restart goes on with the next
	urls      bool             // they are counted, too
	tokens    int
	lookback  time.Duration
	location  *time.Location
	stall     disturbance
	behind    time.Duration // one of ABS's nodes is by this much; each reading is answered by another

	held     time.Time           // where the newest span begins that a reading held requests of
	unproven error               // a slot settled without proof
	failing  float64             // failures, until the end, when all is let settle
	most     map[time.Time]int64 // by span: the most that a reading reported, less the baseline
	first    map[time.Time]int64 // by span: the baseline
	rechosen bool                // the choice of values has changed
	alone    bool                // nothing shared Other in this run
}

// disturbance is a time in which ABS gets no logs. What it would have had comes in the hour after.
type disturbance struct {
	from, to time.Time
	down     bool // ABS answers nothing meanwhile
}

// visible returns when ABS has what it would have had at a time.
func (d disturbance) visible(at time.Time, drain time.Duration) time.Time {
	if at.Before(d.from) || !at.Before(d.to) {
		return at
	}
	return d.to.Add(time.Duration(float64(at.Sub(d.from)) / float64(d.to.Sub(d.from)) * float64(drain)))
}

func (w *world) String() string {
	return fmt.Sprintf("stall %v, behind %v, maxValues %d, apis %d, restarts %v, ", w.stall, w.behind, w.maxValues, w.apis, w.restarts) + fmt.Sprintf("failures %.1f, slow %v, rowCap %d, truncates %v, takesBack %v, maxTokens %d of %d, %d minutes, %v",
		w.failures, w.slow, w.rowCap, w.truncates, w.takesBack, w.maxTokens, w.tokens, w.minutes, w.location)
}

// modelChoices is a choice of APIs and devices.
func modelChoices(rng *rand.Rand) (c counts.Choices) {
	expression := func(all ...string) *regexp.Regexp {
		if text := all[rng.IntN(len(all))]; text != "" {
			return regexp.MustCompile("^(?:" + text + ")$")
		}
		return nil
	}
	c[counts.API].Allow, c[counts.API].Deny = expression("", "", "api.*", "now.*"), expression("", "", "api[01]", "now.*")
	c[counts.Device].Deny = expression("", "", "agent", "LINUX|agent/1")
	c[counts.API].Limit, c[counts.Device].Limit = rng.IntN(3), rng.IntN(3)
	if rng.IntN(2) == 0 {
		c[counts.Device].Name = func(text string) string { name, _, _ := strings.Cut(text, "/"); return name }
	}
	return c
}

func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		rng:       rng,
		start:     time.Date(2026, 10, 24, 18, 0, 0, 0, time.UTC).Add(time.Duration(rng.IntN(600)) * time.Minute),
		minutes:   60 + rng.IntN(600),
		failures:  []float64{0, 0, 0.3, 0.6}[rng.IntN(4)],
		rowCap:    []int{0, 0, 4, 12}[rng.IntN(4)],
		slow:      rng.IntN(2) == 0,
		truncates: rng.IntN(2) == 0,
		takesBack: rng.IntN(3) == 0,
		maxTokens: []int{0, 1, 3, 8, 100}[rng.IntN(5)],
		maxValues: []int{1, 2, 4, 100, 100}[rng.IntN(5)],
		apis:      []int{0, 1, 3, 40}[rng.IntN(4)],
		restarts:  rng.IntN(3) == 0,
		tokens:    2 + rng.IntN(30),
		location:  time.UTC,
		choices:   []counts.Choices{{}},
	}
	if rng.IntN(2) == 0 {
		w.choices = nil
		for range 1 + rng.IntN(3) {
			w.choices = append(w.choices, modelChoices(rng))
		}
	}
	w.urls = rng.IntN(2) == 0
	if rng.IntN(2) == 0 {
		w.lookback = time.Duration(rng.IntN(90)) * time.Minute
	}
	if rng.IntN(3) == 0 {
		w.location, _ = time.LoadLocation([]string{"Europe/Berlin", "Asia/Kolkata", "America/St_Johns"}[rng.IntN(3)])
	}
	late := w.disturb()
	drain := time.Duration(rng.IntN(60)) * time.Minute
	lanes := [3]time.Duration{}
	for m := -180; m < w.minutes; m++ {
		at := w.start.Add(time.Duration(m) * time.Minute)
		if m%10 == 0 {
			for i := range lanes {
				lanes[i] = time.Duration(rng.IntN(20)) * time.Minute
				if rng.IntN(12) == 0 {
					lanes[i] = time.Duration(rng.IntN(late)) * time.Minute
				}
			}
		}
		visible := at.Truncate(10 * time.Minute).Add(10 * time.Minute)
		for range rng.IntN(3) {
			lane := rng.IntN(len(lanes))
			token := tokenid.ID(1 + rng.IntN(w.tokens))
			if rng.IntN(2) == 0 { // the population moves on
				token = tokenid.ID(1 + (m+180)*w.tokens/(w.minutes+180))
			}
			e := event{
				at: at, from: w.stall.visible(visible.Add(lanes[lane]), drain), token: token,
				method: []string{"GET", "PUT", "POST"}[rng.IntN(3)],
				api:    w.api(m),
				device: []string{"LINUX", "UNKNOWN", "agent/1", "agent/2"}[rng.IntN(4)],
				url:    []string{"/shop", "/shop/{id}"}[rng.IntN(2)],
				n:      1 + rng.Int64N(5),
			}
			if w.takesBack && rng.IntN(6) == 0 {
				w.takeBack(&e)
			}
			w.events = append(w.events, e)
		}
	}
	w.byMinute = map[int64][]event{}
	for _, e := range w.events {
		w.byMinute[e.at.Unix()] = append(w.byMinute[e.at.Unix()], e)
	}
	return w
}

// api returns the API of a request of a minute: one of those that stay, or one that comes, goes,
// and may return.
func (w *world) api(minute int) string {
	if w.apis == 0 || w.rng.IntN(2) == 0 {
		return fmt.Sprint("api", w.rng.IntN(4))
	}
	return fmt.Sprint("now", (minute+180)/7*w.apis/20%w.apis)
}

// disturb lets the feed stand still, or nodes disagree. It returns how many minutes requests may be
// late: what is late when the feed stops has two thirds of the settle time.
func (w *world) disturb() (late int) {
	late = 100
	if w.rng.IntN(3) == 0 {
		w.behind, late = time.Duration(1+w.rng.IntN(20))*time.Minute, 50
	}
	if w.rng.IntN(3) != 0 {
		return late
	}
	w.stall.from = w.start.Add(time.Duration(60+w.rng.IntN(w.minutes)) * time.Minute)
	w.stall.to = w.stall.from.Add(time.Duration(120+w.rng.IntN(360)) * time.Minute)
	w.stall.down = w.rng.IntN(2) == 0
	if w.behind > 0 {
		return 20
	}
	return 30
}

// takeBack lets ABS take an event back: for good, to report it again later, or to move it to
// another token.
func (w *world) takeBack(e *event) {
	e.until = e.from.Add(time.Duration(w.rng.IntN(60)) * time.Minute)
	again := *e
	again.from, again.until = e.until, time.Time{}
	switch w.rng.IntN(3) {
	case 0:
		return
	case 1:
		again.from = e.until.Add(time.Duration(w.rng.IntN(30)) * time.Minute)
	case 2:
		again.token = tokenid.ID(1 + w.rng.IntN(w.tokens))
	}
	w.events = append(w.events, again)
}

func (e *event) visible(now time.Time) bool {
	return !e.from.After(now) && (e.until.IsZero() || e.until.After(now))
}

// report is what ABS answers: rows in some order, the same token now and then twice.
func (w *world) report(s Span, now time.Time) (rows []event) {
	if w.behind > 0 && w.rng.IntN(2) == 0 {
		now = now.Add(-w.behind)
	}
	for at := s.From; at.Before(s.To); at = at.Add(time.Minute) {
		for _, e := range w.byMinute[at.Unix()] {
			if e.visible(now) {
				rows = append(rows, e)
			}
		}
	}
	w.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

func add(r *Reading, rows []event) {
	for _, e := range rows {
		row := abs.Row{
			Requests: e.n,
			APIs:     []abs.Count{{Key: []byte(e.api), N: e.n}},
			Devices:  []abs.Count{{Key: []byte(e.device), N: e.n}},
			URLs:     []abs.Count{{Key: []byte(e.url), N: e.n}},
		}
		if e.method != "" {
			row.Methods = []abs.Count{{Key: []byte(e.method), N: e.n}}
		}
		r.Add(e.token, &row)
	}
}

func sum(rows []event) (n int64) {
	for _, e := range rows {
		n += e.n
	}
	return n
}

const rowLength = 10

// cycle does what the collector does, without its network.
func (w *world) cycle(l *Ledger, now time.Time, check func(string)) {
	l.Advance(now, 2*time.Minute)
	check("advance")
	down := w.stall.down && !now.Before(w.stall.from) && now.Before(w.stall.to)
	for _, j := range l.Due(now) {
		if down || w.rng.Float64() < w.failing {
			r := l.Begin(j, now)
			add(r, w.report(j.Span, now)[:0])
			l.Discard(r)
			why := Unavailable
			if !down && w.slow && w.rng.IntN(3) == 0 {
				why = TimedOut
			}
			l.Failed(j, why)
			continue
		}
		rows := w.report(j.Span, now)
		r := l.Begin(j, now)
		if w.rowCap > 0 && len(rows) > w.rowCap && splittable(l, j) {
			if !w.truncates {
				add(r, rows[:w.rowCap])
				l.Discard(r)
				l.Failed(j, TooLarge)
				check("too large")
				continue
			}
			add(r, rows[:w.rowCap])
			if halves, ok := l.Halves(j); ok {
				early := l.Begin(halves[0], now)
				add(early, w.report(halves[0].Span, now))
				late := l.Begin(halves[1], now)
				add(late, w.report(halves[1].Span, now))
				l.Discard(r)
				l.Split(j)
				if early.Total+late.Total < sum(rows) { // of a node that is behind
					l.Discard(early)
					l.Discard(late)
					continue
				}
				l.Apply(early, rowLength)
				check("early half")
				l.Apply(late, rowLength)
				check("late half")
				continue
			}
			w.apply(l, j, r, rows, now, check)
			continue
		}
		add(r, rows)
		w.apply(l, j, r, rows, now, check)
	}
	l.Close()
	l.Stage(now, now)
	l.Published()
}

// apply counts a whole report.
func (w *world) apply(l *Ledger, j Job, r *Reading, rows []event, now time.Time, check func(string)) {
	if j.span().baseline {
		w.first[j.From] = sum(rows)
	}
	w.most[j.From] = max(w.most[j.From], sum(rows)-w.first[j.From])
	out := l.Apply(r, int64(len(rows)*rowLength))
	w.checkProof(l, j, rows, now, out)
	check("apply " + j.From.Format("15:04"))
}

// checkProof checks that a slot settles only after its settle time, and after a reading of a later
// slot held requests.
func (w *world) checkProof(l *Ledger, j Job, rows []event, now time.Time, out Outcome) {
	if len(rows) > 0 && j.From.After(w.held) {
		w.held = j.From
	}
	if out.Settled && w.unproven == nil && (w.held.Before(out.SlotEnd) || now.Before(j.To.Add(l.c.Settle))) {
		w.unproven = fmt.Errorf("span %v settled at %v, when the newest with requests was that of %v", j.Span, now, w.held)
	}
}

// unsplit reports whether no slot of the run was split.
func (w *world) unsplit() bool { return w.rowCap == 0 && (w.failures == 0 || !w.slow) }

func splittable(l *Ledger, j Job) bool {
	_, ok := l.c.Zone.Middle(j.Span)
	return ok
}

// books follows the ledger from outside: the increases of all series of each token, and of each
// value.
type books struct {
	l       *Ledger
	last    map[tokenid.ID]int64
	byToken map[tokenid.ID]int64

	values      map[valueSeries]int64           // as they were last
	totals      map[counts.Dimension]increments // of the totals by value
	tokens      map[counts.Dimension]increments // of the tokens and other, together
	otherValues bool                            // some were counted under Other
	rechosen    bool                            // the choice of values has changed
}

type increments map[string]int64 // by value

// valueSeries identifies the series of a value, and how often it began.
type valueSeries struct {
	of        string
	ofSince   uint64
	dimension counts.Dimension
	name      string
	since     uint64
}

func newBooks(l *Ledger) *books {
	b := &books{
		l: l, byToken: map[tokenid.ID]int64{}, values: map[valueSeries]int64{},
		totals: map[counts.Dimension]increments{}, tokens: map[counts.Dimension]increments{},
	}
	for _, d := range counts.Dimensions() {
		b.totals[d], b.tokens[d] = increments{}, increments{}
	}
	return b
}

func (b *books) check() error {
	l := b.l
	now := map[tokenid.ID]int64{}
	for id, i := range l.tracked.index {
		c := &l.tracked.counters[i]
		last := b.last[id]
		if c.Total.Value < last {
			return fmt.Errorf("token %v fell from %d to %d", id, last, c.Total.Value)
		}
		b.byToken[id] += c.Total.Value - last
		now[id] = c.Total.Value
		sums := map[counts.Dimension]int64{}
		for _, v := range c.Values {
			sums[v.ID.Dimension()] += v.Value
		}
		for d, n := range sums {
			if n > c.Total.Value {
				return fmt.Errorf("token %v: %v adds up to %d of %d", id, d, n, c.Total.Value)
			}
		}
	}
	b.last = now
	all := l.other.Total.Value
	for _, n := range b.byToken {
		all += n
	}
	if all != l.total.Total.Value {
		return fmt.Errorf("tokens and other add up to %d, the total is %d", all, l.total.Total.Value)
	}
	return nil
}

// checkValues checks that no series of a value falls, and that all series add up, those that ended
// included.
func (b *books) checkValues() error {
	l := b.l
	now := map[valueSeries]int64{}
	follow := func(of string, c *counts.Counters, sums map[counts.Dimension]increments) error {
		for _, v := range c.Values {
			d := v.ID.Dimension()
			key := valueSeries{of: of, ofSince: c.TrackedSince, dimension: d, name: l.labels.Name(v.ID), since: l.labels[d].Since(v.ID.Index())}
			last := b.values[key]
			if _, twice := now[key]; twice || v.Value < last {
				return fmt.Errorf("%+v is %d after %d, or there twice", key, v.Value, last)
			}
			now[key] = v.Value
			sums[d][key.name] += v.Value - last
			b.otherValues = b.otherValues || key.name == metrics.Other
		}
		return nil
	}
	err := follow("total", &l.total, b.totals)
	for _, c := range l.byToken() {
		err = cmp.Or(err, follow(c.ID.String(), c, b.tokens))
	}
	b.values = now
	for d, totals := range b.totals {
		var all, ofTokens int64
		for _, n := range b.tokens[d] {
			ofTokens += n
		}
		for name, n := range totals {
			// A restart with another choice moves what was not exposed, which may be so of a token only.
			if all += n; n != b.tokens[d][name] && !b.rechosen {
				err = cmp.Or(err, fmt.Errorf("%v %s: the total is %d, the tokens and other add up to %d", d, name, n, b.tokens[d][name]))
			}
		}
		if all > l.total.Total.Value || all != ofTokens {
			err = cmp.Or(err, fmt.Errorf("%v adds up to %d of %d", d, all, l.total.Total.Value))
		}
		taken, most := len(l.labels[d].Names()), cmp.Or(l.c.Choices[d].Limit, l.c.MaxValues)
		if d != counts.Method && taken > most && !b.rechosen { // those that a smaller limit found leave as others do
			err = cmp.Or(err, fmt.Errorf("%v has %d values", d, taken))
		}
		if unchosen := l.labels[d].Unchosen(); len(unchosen) > 0 {
			err = cmp.Or(err, fmt.Errorf("%v has series of values that were not chosen: %v", d, unchosen))
		}
	}
	return err
}

// checkSlots checks that what the open slots remember adds up.
func (b *books) checkSlots() error {
	for _, s := range b.l.slots {
		var reported int64
		all := []*counts.ByToken{&s.counted, &s.reported}
		for i := range s.spans {
			if last := s.spans[i].last; last != nil {
				all = append(all, last)
				reported += last.Total
			}
		}
		if reported != s.reported.Total {
			return fmt.Errorf("slot %v: its last readings add up to %d, it remembers %d", s.Span, reported, s.reported.Total)
		}
		for _, t := range all {
			total := t.Other.Total
			for i := range t.Tracked {
				total += t.Tracked[i].Total
			}
			if total != t.Total {
				return fmt.Errorf("slot %v remembers %d, its tokens %d", s.Span, t.Total, total)
			}
		}
	}
	return nil
}

func (w *world) ledger() *Ledger {
	dimensions := []counts.Dimension{counts.Method, counts.API, counts.Device}
	if w.urls {
		dimensions = append(dimensions, counts.URL)
	}
	responseCap := int64(1 << 40)
	if w.rowCap > 0 {
		responseCap = int64(w.rowCap) * rowLength
	}
	return New(Config{
		Target: "t", Zone: Zone{Location: w.location},
		SlotTimes: SlotTimes{
			Slot: 30 * time.Minute, Reread: 10 * time.Minute, Settle: 2 * time.Hour, MaxBackfill: 24 * time.Hour, Lookback: w.lookback,
		},
		MaxTokens: w.maxTokens, MaxValues: w.maxValues, Choices: append(w.choices, counts.Choices{})[0], Dimensions: dimensions,
		DisplaceAfter: 30 * time.Minute, Expire: 2 * time.Hour, ResponseCap: ResponseCap(responseCap), ZeroFor: time.Minute,
	})
}

func (w *world) run() error {
	w.failing = w.failures
	w.most, w.first = map[time.Time]int64{}, map[time.Time]int64{}
	l := w.ledger()
	b := newBooks(l)
	var failure error
	end := w.start.Add(time.Duration(w.minutes)*time.Minute + 4*time.Hour)
	if w.stall.to.Add(4 * time.Hour).After(end) {
		end = w.stall.to.Add(4 * time.Hour)
	}
	for now := w.start; now.Before(end); now = now.Add(2 * time.Minute) {
		if now.After(end.Add(-15 * time.Minute)) {
			w.failing = 0
		}
		w.cycle(l, now, func(what string) {
			if err := b.check(); err != nil && failure == nil {
				failure = fmt.Errorf("%v, %s: %w", now.Format("15:04"), what, err)
			}
		})
		if w.restarts && w.maxTokens > 0 && w.rng.IntN(40) == 0 {
			if l, failure = w.restart(l, b); failure != nil {
				return failure
			}
			b.l = l
		}
		if err := cmp.Or(b.checkSlots(), b.checkValues()); err != nil && failure == nil {
			failure = fmt.Errorf("%v: %w", now.Format("15:04"), err)
		}
		if failure != nil {
			return failure
		}
	}
	if w.unproven != nil {
		return w.unproven
	}
	return w.judge(b)
}

// restart saves the ledger, and restores it with the next choice of values.
func (w *world) restart(l *Ledger, b *books) (*Ledger, error) {
	var saved bytes.Buffer
	if err := gob.NewEncoder(&saved).Encode(l.State()); err != nil {
		return nil, err
	}
	var s State
	if err := gob.NewDecoder(&saved).Decode(&s); err != nil {
		return nil, err
	}
	c := l.c
	if len(w.choices) > 1 {
		w.choices = append(w.choices[1:], w.choices[0])
		w.rechosen = true
	}
	c.Choices = w.choices[0]
	if err := b.checkValues(); err != nil { // up to what was saved
		return nil, err
	}
	b.rechosen = w.rechosen
	b.leaving(&c.Choices)
	return Restore(c, &s)
}

// leaving takes back what nobody has seen of the values that a choice ends: it is Other's.
func (b *books) leaving(choices *counts.Choices) {
	for _, c := range append(b.l.byToken(), &b.l.total) {
		sums := b.tokens
		if c == &b.l.total {
			sums = b.totals
		}
		for _, v := range c.Values {
			d, name := v.ID.Dimension(), b.l.labels.Name(v.ID)
			if to, ok := choices[d].Of(name); name != metrics.Other && (!ok || to != name) {
				sums[d][name] -= c.UnexposedOf(v.ID)
			}
		}
	}
}

// judge compares the counters with the truth once everything has settled.
func (w *world) judge(b *books) error {
	l := b.l
	if n := l.health.missed.Value + l.health.unproven.Value; n != 0 {
		return fmt.Errorf("%d slots missed", n)
	}
	truth := w.truth(l)
	got := l.total.Total.Value
	if err := w.judgeTotal(got, truth); err != nil {
		return err
	}
	if w.takesBack {
		return nil
	}
	// In a repeated hour it would count from the end of that hour.
	started := !l.c.Zone.Repeated(w.start)
	if started && (got < truth.sure || got > truth.atMost) {
		return fmt.Errorf("counted %d, requested were %d to %d", got, truth.sure, truth.atMost)
	}
	exact := started && w.rowCap == 0 && w.failures == 0 && w.behind == 0
	if exact && got != truth.atMost {
		return fmt.Errorf("counted %d of %d", got, truth.atMost)
	}
	if err := w.judgeValues(b, truth); err != nil {
		return err
	}
	if got != truth.atMost || l.other.Total.Value != 0 {
		return nil
	}
	w.alone = true
	for id, n := range truth.byToken {
		if b.byToken[id] != n {
			return fmt.Errorf("token %v: counted %d of %d", id, b.byToken[id], n)
		}
	}
	return nil
}

// judgeValues compares the totals by value.
func (w *world) judgeValues(b *books, truth truth) error {
	l, got := b.l, b.l.total.Total.Value
	// What joins with the reading of a node that is behind leaves too much under other, and the next
	// gain is shared out by it: the total is right, the values need not be.
	certain := w.behind == 0 || l.other.Total.Value == 0 && !b.otherValues
	for d, totals := range b.totals {
		var all int64
		for name, n := range totals {
			all += n
			if name == metrics.Other {
				continue
			}
			if certain && n > truth.byValue[name] || got == truth.atMost && certain && !w.rechosen && !b.otherValues && n != truth.byValue[name] {
				return fmt.Errorf("%v %s: counted %d of %d", d, name, n, truth.byValue[name])
			}
		}
		if l.counted(d) && all != got {
			return fmt.Errorf("%v adds up to %d of %d", d, all, got)
		}
	}
	return nil
}

// truth is what was requested and must be counted, or may.
type truth struct {
	sure, atMost int64
	byMinute     map[time.Time][]event
	byValue      map[string]int64
	byToken      map[tokenid.ID]int64
}

func (w *world) truth(l *Ledger) truth {
	from := w.start.Add(-w.lookback)
	from = l.c.Zone.FirstUnambiguous(from, l.c.Zone.Slot(from, l.c.Slot).To)
	t := truth{byMinute: map[time.Time][]event{}, byValue: map[string]int64{}, byToken: map[tokenid.ID]int64{}}
	for _, e := range w.events {
		switch {
		case !e.at.Before(from):
			t.sure += e.n
		case e.from.After(w.start.Add(-w.behind)) && l.c.Zone.Slot(e.at, l.c.Slot).To.After(w.start.Add(-l.c.Settle)):
			// Of what came before the start only what ABS adds later is counted; how much,
			// depends on when the first reading succeeded.
		default:
			continue
		}
		t.atMost += e.n
		t.byMinute[e.at] = append(t.byMinute[e.at], e)
		t.byToken[e.token] += e.n
		t.byValue[e.method] += e.n
		t.byValue[e.api] += e.n
		t.byValue[e.device] += e.n
		t.byValue[e.url] += e.n
		if name, _, cut := strings.Cut(e.device, "/"); cut {
			t.byValue[name] += e.n
		}
	}
	return t
}

func (w *world) judgeTotal(got int64, t truth) error {
	switch {
	case w.unsplit():
		var reported int64
		for _, most := range w.most {
			reported += most
		}
		if got != reported {
			return fmt.Errorf("counted %d, ABS reported at most %d", got, reported)
		}
	case w.takesBack:
		// A window is a minute at least: more than ABS ever reported of each minute by itself is
		// counted twice.
		var reported int64
		for _, events := range t.byMinute {
			reported += peak(events)
		}
		if got > reported {
			return fmt.Errorf("counted %d, ABS reported at most %d of the minutes", got, reported)
		}
	case got < t.sure || got > t.atMost:
		return fmt.Errorf("counted %d, requested were %d to %d", got, t.sure, t.atMost)
	}
	return nil
}

// peak is the most that was visible of events at a time.
func peak(events []event) (most int64) {
	for _, now := range events {
		var n int64
		for _, e := range events {
			if e.visible(now.from) {
				n += e.n
			}
		}
		most = max(most, n)
	}
	return most
}

func TestModel(t *testing.T) {
	runs, alone := *runs, 0
	if testing.Short() {
		runs = min(runs, 60)
	}
	for seed := range runs {
		w := newWorld(seed)
		if err := w.run(); err != nil {
			t.Fatalf("seed %d (%v): %v", seed, w, err)
		}
		if w.alone {
			alone++
		}
	}
	if uint64(alone) < runs/50 {
		t.Errorf("in %d of %d runs every token was counted on its own: too few to say much", alone, runs)
	}
	t.Logf("%d runs, in %d of them every token was counted on its own", runs, alone)
}
