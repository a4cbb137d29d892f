package findings

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/findings/planner"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Reporter is the consumer contract for the forensics report; *abs.Client is one.
type Reporter interface {
	Forensics(ctx context.Context, w abs.Window, token []byte) (abs.Forensics, error)
}

// AttackReporter is the consumer contract for the reports that name flagged tokens cheaply;
// *abs.Client is one.
type AttackReporter interface {
	AttackList(ctx context.Context, w abs.Window, flagged func(token []byte) error) (abs.AttackSummary, error)
	Attacks(ctx context.Context, w abs.Window, api string, flagged func(abs.FlaggedToken) error) (abs.AttackSummary, error)
}

// Clock is the time that findings live in.
type Clock interface {
	Now() time.Time
	// Sleep returns early, with the context's error, when ctx ends.
	Sleep(ctx context.Context, d time.Duration) error
}

// Config is how findings of one target are requested and exposed.
type Config struct {
	Target        string
	Forensics     Reporter       // nil: not asked, as ABS refuses them to a restricted user
	AttackReports AttackReporter // nil: not read
	Rate          float64        // forensics calls a second
	Window        time.Duration  // that a report covers
	Interval      time.Duration  // between cycles
	Reread        time.Duration  // between two readings of the window report
	MaxTokens     int            // tokens with series of their own
	Expire        time.Duration  // how long a pair of type and API that ended keeps its series
	ZeroFor       time.Duration  // how long a new counter is exposed as 0, and an ended finding too
	Catalogue     *catalogue.Catalogue
	LogEvents     bool // what begins and ends has a log line
	Hooks
}

// Hooks connect findings with the rest of the target. All but Events are set.
type Hooks struct {
	Clock   Clock
	Log     *slog.Logger
	Hash    func(token []byte) tokenid.ID
	Tracked func(tokenid.ID) bool // reports whether a token has series of its own
	APIs    func() []string       // the APIs with requests
	// Ambiguous reports whether ABS may take a window for another one: an end of it is in the
	// repeated hour of a clock change.
	Ambiguous func(abs.Window) bool
	Changed   func()              // the gauges changed, while the cycle is not over
	Events    func(metrics.Event) // nil: nobody receives events
	// Failed records a failed call for a report in the log and on the status page, Answered one that
	// ABS answered.
	Failed    func(report string, err error, consequence string)
	Answered  func(report string)
	Heartbeat func()
}

// Findings is what ABS flags the tokens of one target for. It is not safe for concurrent use.
type Findings struct {
	cfg     Config
	active  *active
	plan    *planner.Planner
	limiter *rate.Limiter
	reports *attackReports // nil without

	latency     time.Duration       // of a forensics call, smoothed
	pausedUntil time.Time           // ABS asked not to be called before (Retry-After)
	strange     map[string]struct{} // types that were logged as not in the catalogue
	oldest      time.Time           // when the oldest answer was given; zero: not every token was asked about yet

	answered       time.Time      // when ABS last said who is flagged; zero: never
	again          []planner.Call // tokens to be asked about again in the next cycle
	changed        bool           // the gauges, since they were last published
	logged         int            // events of this run
	exposedFlagged int            // tokens, as last exposed; unknown: not exposed
}

// unknown is a number of tokens that nobody knows.
const unknown = -1

// New returns findings without state.
func New(c Config) *Findings {
	f := &Findings{
		cfg: c, active: newActive(c),
		plan:    planner.New(c.Reread / 2), // so that a finding is in every plan, whichever moment a cycle begins at
		limiter: rate.NewLimiter(rate.Limit(c.Rate), 1),
		strange: map[string]struct{}{}, exposedFlagged: unknown,
	}
	if c.AttackReports != nil {
		f.reports = newAttackReports()
	}
	return f
}

// enabled reports whether any report of findings is read.
func (f *Findings) enabled() bool { return f.cfg.Forensics != nil || f.reports != nil }

// Run reads the attack reports and then requests forensics, until the plan is done or the instant
// until is reached, when the next cycle is due: the reports that feed the counters go first. If
// that instant has passed already, nothing is requested: only findings whose last answer is too old
// end.
func (f *Findings) Run(ctx context.Context, until time.Time) {
	now := f.cfg.Clock.Now()
	if ctx.Err() != nil || !f.enabled() {
		return
	}
	f.emit(f.active.expire(now.Add(-f.cfg.Window), now))
	defer f.endEvents()
	if !now.Before(until) {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		if f.cfg.Clock.Sleep(ctx, min(until.Sub(now), f.cfg.Interval)) == nil {
			cancel()
		}
	}()
	for _, c := range f.again {
		f.plan.AddPriority(c.ID, c.Token)
	}
	f.again = f.again[:0]
	f.readAttackReports(ctx)
	f.publishChanges()
	f.askForensics(ctx, cancel)
	f.cfg.Heartbeat()
}

// endEvents ends the events of a run.
func (f *Findings) endEvents() {
	if more := f.logged - maxLogged; more > 0 && f.cfg.LogEvents {
		f.cfg.Log.Warn("more findings began or ended", "events", more, "consequence", "they are counted and exposed like the logged ones")
	}
	f.logged = 0
}

// publishChanges has the gauges published before the cycle is over, if they changed.
func (f *Findings) publishChanges() {
	if f.changed {
		f.changed = false
		f.cfg.Changed()
	}
}

// paused reports whether a pause that ABS requested (Retry-After) is not over.
func (f *Findings) paused() bool { return f.cfg.Clock.Now().Before(f.pausedUntil) }

// pauseFor heeds a Retry-After, for a window at most.
func (f *Findings) pauseFor(d time.Duration) {
	f.pausedUntil = f.cfg.Clock.Now().Add(min(d, f.cfg.Window))
}

// WindowObserver records the rows of one window report: which tokens there are to ask about.
type WindowObserver struct {
	f        *Findings
	plan     *planner.Plan
	inWindow *tokenid.Filter
	active   map[tokenid.ID]struct{} // tokens with an answer that the report holds
	rows     int
}

// ObserveWindow begins a window report. Done makes its rows the plan that is followed; without it
// the former plan goes on.
func (f *Findings) ObserveWindow(began time.Time) *WindowObserver {
	budget := 0 // calls until the window is read again
	if f.cfg.Forensics != nil {
		budget = int(math.Ceil(f.cfg.Rate * max(f.cfg.Reread, f.cfg.Interval).Seconds()))
	}
	o := &WindowObserver{f: f, plan: f.plan.NewPlan(budget, began, f.active.lastFinding), active: map[tokenid.ID]struct{}{}}
	if f.reports != nil {
		o.inWindow = newFilter()
	}
	return o
}

// Row records a row. The token is copied if it is kept.
func (o *WindowObserver) Row(id tokenid.ID, token []byte, requests int64) {
	o.rows++
	if o.inWindow != nil {
		o.inWindow.Add(id)
	}
	if _, ok := o.f.active.tokens[id]; ok {
		o.active[id] = struct{}{}
	}
	o.plan.Offer(id, token, requests)
}

// Done ends the report. If all of its rows are there, the findings of tokens that it lacks end,
// once two such reports in a row lacked them.
func (o *WindowObserver) Done(window abs.Window, complete bool) {
	f := o.f
	o.plan.Commit()
	if f.reports != nil {
		f.reports.inWindow = o.inWindow
	}
	// For a restricted user ABS may obfuscate a token in another way here than in its attack reports.
	if !complete || f.cfg.Forensics == nil || f.cfg.Ambiguous(window) {
		return
	}
	if o.rows == 0 {
		f.answered = f.cfg.Clock.Now() // nobody there is to be flagged
	}
	for _, id := range sortedIDs(f.active.tokens) {
		if _, ok := o.active[id]; ok {
			f.active.tokens[id].absent = false
			continue
		}
		f.emit(f.active.absent(id, f.cfg.Clock.Now()))
	}
}

// Flagged returns the tokens with an active attack.
func (f *Findings) Flagged() map[tokenid.ID]struct{} { return f.active.flagged() }

// FlaggedTokens returns the tokens with an active attack, maxShown at most: those flagged longest.
func (f *Findings) FlaggedTokens() []FlaggedToken { return f.active.flaggedTokens() }

// Status is what the status page and the health metrics show of forensics.
type Status struct {
	Enabled bool
	// Due, Covered, Skipped and Failed count the tokens of the window by what is known of them.
	Due, Covered, Skipped, Failed int
	// Oldest is when the oldest answer about a token of the window was given; zero if not every token
	// was asked about yet. It stands still while a plan is not finished.
	Oldest  time.Time
	Flagged int // tokens, as last exposed; -1 if nobody knows
}

// Status returns how far forensics has come.
func (f *Findings) Status() Status {
	c := f.plan.Coverage()
	if !c.Oldest.IsZero() {
		f.oldest = c.Oldest
	}
	return Status{
		Enabled: f.cfg.Forensics != nil, Due: c.Due, Covered: c.Covered, Skipped: c.Skipped, Failed: c.Failed,
		Oldest: f.oldest, Flagged: f.exposedFlagged,
	}
}

// maxLogged is how many events have a log line in one cycle. The rest is counted in one line.
const maxLogged = 100

// emit logs events and hands them to whoever listens.
func (f *Findings) emit(events []metrics.Event) {
	f.changed = f.changed || len(events) > 0
	for _, e := range events {
		if f.logged++; f.logged <= maxLogged {
			if f.cfg.LogEvents {
				e.Log(f.cfg.Log)
			}
			if _, known := f.strange[e.Type]; e.Severity == catalogue.Unknown && !known && len(f.strange) < maxStrange {
				f.strange[e.Type] = struct{}{}
				f.cfg.Log.Warn("type is not in the catalogue", "type", e.Type, "severity", e.Severity,
					"consequence", "exposed as ABS spells it")
			}
		}
		if f.cfg.Events != nil {
			f.cfg.Events(e)
		}
	}
}

// maxStrange is how many types that are not in the catalogue have a log line.
const maxStrange = 1000

// newFilter returns a filter of 2 MiB: of 400,000 ids in it, one in five hundred others is taken
// for one of them.
func newFilter() *tokenid.Filter { return tokenid.NewFilter(24) }

func sortedIDs[V any](m map[tokenid.ID]V) []tokenid.ID { return slices.Sorted(maps.Keys(m)) }
