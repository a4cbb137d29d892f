package collector

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings"
)

// keptFailures is how many failures the status page shows.
const keptFailures = 10

// subject is what fails and recovers: one of ABS's reports by its name, or stateSubject.
type subject string

const (
	stateSubject subject = "state"
	noSubject    subject = "" // a failure whose end is not logged
)

const messageReportFailed = "report failed"

// failures records what fails and recovers, in the log and for the status page: one line a cycle
// and cause, and one line at the end.
type failures struct {
	clock Clock
	log   *slog.Logger

	recent   []ErrorStatus // newest first
	pending  []*failure    // of the running cycle, not logged yet
	logged   map[cause]bool
	troubles map[subject]*trouble
	worked   map[subject]bool // those that worked before
}

// cause is what makes two failures of a cycle one log line.
type cause struct {
	message, report string
	reason          abs.Reason
	status          int
}

// failure is one line to log.
type failure struct {
	cause
	subject      subject
	calls        int
	err          error // of the first
	args         []any // likewise
	consequences []string
}

// trouble is a subject that has not worked since.
type trouble struct {
	since            time.Time
	failures         int
	logged           bool
	failed, answered bool // in this cycle
}

func newFailures(clock Clock, log *slog.Logger) *failures {
	return &failures{
		clock: clock, log: log,
		logged: map[cause]bool{}, troubles: map[subject]*trouble{}, worked: map[subject]bool{},
	}
}

// add records a failure of which the log names no end. The consequence says what follows from it
// for the data.
func (f *failures) add(message string, err error, consequence string) {
	f.record(noSubject, causeOf(message, "", err), err, consequence)
}

// reportFailed records a failed call for a report; args are more keys and values of the log line.
func (f *failures) reportFailed(report string, err error, consequence string, args ...any) {
	f.record(subject(report), causeOf(messageReportFailed, report, err), err, consequence, append([]any{"report", report}, args...)...)
}

// stateNotSaved records a state that could not be saved.
func (f *failures) stateNotSaved(err error) {
	f.record(stateSubject, causeOf("state not saved", "", err), err,
		"the exposed counters stand still until it can be saved; nothing is lost or counted twice")
}

// panicked records a panic of the target's loop.
func (f *failures) panicked(p *findings.Panic, consequence string) {
	const message = "target panicked"
	f.log.Error(message, "err", p, "stack", p.Stack, "consequence", consequence)
	f.show(cause{message: message}, noSubject, f.clock.Now(), message+": "+p.Error()+"; "+consequence)
}

// causeOf returns the cause of an error. What is wrong with ABS as a whole is one cause, whichever
// report shows it.
func causeOf(message, report string, err error) cause {
	c := cause{message: message, report: report, reason: abs.ReasonOf(err)}
	if e := (*abs.Error)(nil); errors.As(err, &e) {
		c.status = e.Status
	}
	if c.reason == abs.ReasonConnection || c.reason == abs.ReasonTimeout || c.status >= http.StatusInternalServerError {
		c.report = ""
	}
	return c
}

func (f *failures) record(of subject, c cause, err error, consequence string, args ...any) {
	now := f.clock.Now()
	if of != noSubject {
		t := f.troubles[of]
		if t == nil {
			t = &trouble{since: now}
			f.troubles[of] = t
		}
		t.failures++
		t.failed = true
	}
	f.show(c, of, now, c.message+": "+err.Error()+"; "+consequence)
	for _, p := range f.pending {
		if p.cause == c && p.subject == of {
			p.calls++
			if !slices.Contains(p.consequences, consequence) {
				p.consequences = append(p.consequences, consequence)
			}
			return
		}
	}
	f.pending = append(f.pending, &failure{cause: c, subject: of, calls: 1, err: err, args: args, consequences: []string{consequence}})
}

// show puts a failure first on the status page, where each cause has one row.
func (f *failures) show(c cause, of subject, now time.Time, what string) {
	row := ErrorStatus{At: now, Since: now, What: what, cause: c, subject: of}
	i := slices.IndexFunc(f.recent, func(e ErrorStatus) bool { return e.cause == c && e.subject == of })
	if i >= 0 {
		row.Since, row.Times = f.recent[i].Since, f.recent[i].Times
		f.recent = slices.Delete(f.recent, i, i+1)
	}
	row.Times++
	f.recent = slices.Insert(f.recent, 0, row)
	f.recent = f.recent[:min(len(f.recent), keptFailures)]
}

// answered records that a subject worked.
func (f *failures) answered(of subject) {
	if t := f.troubles[of]; t != nil {
		t.answered = true
	} else if !f.worked[of] && of != stateSubject {
		f.log.Info("first report read", "report", string(of))
	}
	f.worked[of] = true
}

// reportAnswered records a report that was read.
func (f *failures) reportAnswered(report string) { f.answered(subject(report)) }

// begin begins a cycle.
func (f *failures) begin() {
	clear(f.logged)
	for _, t := range f.troubles {
		t.failed, t.answered = false, false
	}
}

// flush logs what failed in the cycle so far, and what has recovered: what was answered in the
// cycle and did not fail in it.
func (f *failures) flush() {
	for _, p := range f.pending {
		level := slog.LevelWarn
		if f.logged[p.cause] {
			level = slog.LevelDebug
		} else if t := f.troubles[p.subject]; t != nil {
			t.logged = true
		}
		f.logged[p.cause] = true
		args := append(slices.Clone(p.args), "calls", p.calls, "err", p.err, "consequence", strings.Join(p.consequences, "; "))
		f.log.Log(context.Background(), level, p.message, args...) //nolint:sloglint // constant where it is recorded
	}
	f.pending = nil
	for _, of := range slices.SortedFunc(maps.Keys(f.troubles), cmp.Compare) {
		t := f.troubles[of]
		if t.failed || !t.answered {
			continue
		}
		delete(f.troubles, of)
		message, args := "report recovered", []any{"report", string(of)}
		if of == stateSubject {
			message, args = "state saved again", nil
		}
		level := slog.LevelInfo
		if !t.logged { // its beginning was another's line
			level = slog.LevelDebug
		}
		args = append(args, "after", f.clock.Now().Sub(t.since).Round(time.Second), "failures", t.failures)
		f.log.Log(context.Background(), level, message, args...) //nolint:sloglint // one of two constants
	}
}
