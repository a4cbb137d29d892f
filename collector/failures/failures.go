// Package failures records what fails and recovers: in the log, one line a cycle and cause and one
// line at the end, and in rows for the status page.
package failures

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

// Row is a cause of failures that the operator should see. What holds neither key nor token.
type Row struct {
	Since, At time.Time // of the first and of the last
	Times     int
	What      string // of the last

	cause   Cause
	subject subject
}

const messageReportFailed = "report failed"

// Failures records what fails and recovers, in the log and for the status page: one line a cycle
// and cause, and one line at the end.
type Failures struct {
	now func() time.Time
	log *slog.Logger

	recent   []Row      // newest first
	pending  []*failure // of the running cycle, not logged yet
	logged   map[Cause]bool
	troubles map[subject]*trouble
	worked   map[subject]bool // those that worked before
}

// Cause is what makes two failures of a cycle one log line.
type Cause struct {
	Message, Report string
	Reason          abs.Reason
	status          int
}

// failure is one line to log.
type failure struct {
	Cause
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

// New returns failures without any.
func New(now func() time.Time, log *slog.Logger) *Failures {
	return &Failures{
		now: now, log: log,
		logged: map[Cause]bool{}, troubles: map[subject]*trouble{}, worked: map[subject]bool{},
	}
}

// Add records a failure of which the log names no end. The consequence says what follows from it
// for the data.
func (f *Failures) Add(message string, err error, consequence string) {
	f.record(noSubject, CauseOf(message, "", err), err, consequence)
}

// ReportFailed records a failed call for a report; args are more keys and values of the log line.
func (f *Failures) ReportFailed(report string, err error, consequence string, args ...any) {
	f.record(subject(report), CauseOf(messageReportFailed, report, err), err, consequence, append([]any{"report", report}, args...)...)
}

// StateNotSaved records a state that could not be saved.
func (f *Failures) StateNotSaved(err error) {
	f.record(stateSubject, CauseOf("state not saved", "", err), err,
		"the exposed counters stand still until it can be saved; nothing is lost or counted twice")
}

// Panicked records a panic of the target's loop.
func (f *Failures) Panicked(p *findings.Panic, consequence string) {
	const message = "target panicked"
	f.log.Error(message, "err", p, "stack", p.Stack, "consequence", consequence)
	f.show(Cause{Message: message}, noSubject, f.now(), message+": "+p.Error()+"; "+consequence)
}

// CauseOf returns the cause of an error. What is wrong with ABS as a whole is one cause, whichever
// report shows it.
func CauseOf(message, report string, err error) Cause {
	c := Cause{Message: message, Report: report, Reason: abs.ReasonOf(err)}
	if e := (*abs.Error)(nil); errors.As(err, &e) {
		c.status = e.Status
	}
	if c.Reason == abs.ReasonConnection || c.Reason == abs.ReasonTimeout || c.status >= http.StatusInternalServerError {
		c.Report = ""
	}
	return c
}

func (f *Failures) record(of subject, c Cause, err error, consequence string, args ...any) {
	now := f.now()
	if of != noSubject {
		t := f.troubles[of]
		if t == nil {
			t = &trouble{since: now}
			f.troubles[of] = t
		}
		t.failures++
		t.failed = true
	}
	f.show(c, of, now, c.Message+": "+err.Error()+"; "+consequence)
	for _, p := range f.pending {
		if p.Cause == c && p.subject == of {
			p.calls++
			if !slices.Contains(p.consequences, consequence) {
				p.consequences = append(p.consequences, consequence)
			}
			return
		}
	}
	f.pending = append(f.pending, &failure{Cause: c, subject: of, calls: 1, err: err, args: args, consequences: []string{consequence}})
}

// show puts a failure first on the status page, where each cause has one row.
func (f *Failures) show(c Cause, of subject, now time.Time, what string) {
	row := Row{At: now, Since: now, What: what, cause: c, subject: of}
	i := slices.IndexFunc(f.recent, func(e Row) bool { return e.cause == c && e.subject == of })
	if i >= 0 {
		row.Since, row.Times = f.recent[i].Since, f.recent[i].Times
		f.recent = slices.Delete(f.recent, i, i+1)
	}
	row.Times++
	f.recent = slices.Insert(f.recent, 0, row)
	f.recent = f.recent[:min(len(f.recent), keptFailures)]
}

// Show puts a failure first on the status page, and logs nothing.
func (f *Failures) Show(c Cause, what string) { f.show(c, noSubject, f.now(), what) }

// Rows returns the causes that the status page shows, newest first.
func (f *Failures) Rows() []Row { return slices.Clone(f.recent) }

// GoOnFrom takes over what another one of the same target logged, so that nothing is logged twice,
// and the end of trouble is.
func (f *Failures) GoOnFrom(of *Failures) {
	f.recent, f.troubles, f.worked = of.recent, of.troubles, of.worked
}

// StateSaved records a state that was saved.
func (f *Failures) StateSaved() { f.answered(stateSubject) }

// answered records that a subject worked.
func (f *Failures) answered(of subject) {
	if t := f.troubles[of]; t != nil {
		t.answered = true
	} else if !f.worked[of] && of != stateSubject {
		f.log.Info("first report read", "report", string(of))
	}
	f.worked[of] = true
}

// ReportAnswered records a report that was read.
func (f *Failures) ReportAnswered(report string) { f.answered(subject(report)) }

// Begin begins a cycle.
func (f *Failures) Begin() {
	clear(f.logged)
	for _, t := range f.troubles {
		t.failed, t.answered = false, false
	}
}

// Flush logs what failed in the cycle so far, and what has recovered: what was answered in the
// cycle and did not fail in it.
func (f *Failures) Flush() {
	for _, p := range f.pending {
		level := slog.LevelWarn
		if f.logged[p.Cause] {
			level = slog.LevelDebug
		} else if t := f.troubles[p.subject]; t != nil {
			t.logged = true
		}
		f.logged[p.Cause] = true
		args := append(slices.Clone(p.args), "calls", p.calls, "err", p.err, "consequence", strings.Join(p.consequences, "; "))
		f.log.Log(context.Background(), level, p.Message, args...) //nolint:sloglint // constant where it is recorded
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
		args = append(args, "after", f.now().Sub(t.since).Round(time.Second), "failures", t.failures)
		f.log.Log(context.Background(), level, message, args...) //nolint:sloglint // one of two constants
	}
}
