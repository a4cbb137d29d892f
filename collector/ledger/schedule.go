package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/saved"
)

// schedule is what slots are opened and read by.
type schedule struct {
	start  Start
	next   time.Time     // where the next slot begins; zero before the first Advance
	length time.Duration // new slots are split into spans of this length
	newest time.Time     // where the newest slot begins that ever held data
	// timeoutSplit says that a span was marked in this cycle to be split for its time-outs.
	timeoutSplit bool
	// clockBack says that the clock was set back, and rewind did not follow it yet.
	clockBack bool
	probes    probes
}

// Start is where counting began without state (rule 8).
type Start = saved.Start

// Job is a window to read next.
type Job struct {
	Span       // what to ask for; its end is never past now
	Current    bool
	Probe      bool // only the beginning of the span, to find out whether ABS answers that
	Twice      bool // to be requested again at once if ABS answers 500: another node may not
	Urgent     bool // half of Config.MaxBackfill has passed, and it was not read since its end
	slot       *slot
	of         Span      // the span of the slot, which may not have ended
	at         int       // its index, as long as no span of the slot is split
	timeouts   int       // of the span, in a row
	tried      time.Time // when its reading was tried last; zero: not since its end
	admitsNone bool      // no token is tracked by its reading, as another one is under way meanwhile
}

// span returns the span of the slot that the job reads; nil for an audit, or if it was split.
func (j *Job) span() *slotSpan {
	if j.slot == nil {
		return nil
	}
	spans := j.slot.spans
	if j.at < len(spans) && spans[j.at].Span == j.of { // a slot may have hundreds of spans
		return &spans[j.at]
	}
	for i := range spans {
		if spans[i].Span == j.of {
			return &spans[i]
		}
	}
	return nil
}

// Due returns what to read in a cycle that begins now, oldest first but for spans that timed out
// before, which would keep the others waiting: the slot that has not ended; ended ones after each
// Reread, or less often while nothing new arrives; those whose reading failed; and those that can
// be settled. While ABS's wall clock runs through a repeated hour, a slot that has not ended waits:
// its report would be of another stretch.
func (l *Ledger) Due(now time.Time) []Job {
	l.splitMarked()
	l.judgeRefusals(now)
	minute := now.Truncate(time.Minute)
	var jobs []Job
	for _, s := range l.slots {
		if l.tooOld(s) {
			continue // it is to be closed
		}
		for i := range s.spans {
			sp := &s.spans[i]
			ask := sp.Span
			if ask.To.After(minute) {
				ask.To = minute
			}
			if l.due(s, sp, now) && ask.To.After(ask.From) && (ask.To.Equal(sp.To) || !l.c.Zone.EndRepeated(ask.To)) {
				job := Job{Span: ask, Current: s.To.After(now), slot: s, of: sp.Span, at: i, timeouts: sp.timeouts, tried: sp.tried}
				if sp.read.Before(sp.To) {
					job.Urgent = l.age(s) > l.c.MaxBackfill/2
				} else {
					job.tried = later(sp.read, sp.tried)
				}
				jobs = append(jobs, job)
			}
		}
	}
	l.probe(jobs, now)
	order := func(a, b Job) int { return cmp.Or(cmp.Compare(a.timeouts, b.timeouts), a.From.Compare(b.From)) }
	if !slices.IsSortedFunc(jobs, order) { // as they are as a rule, and a long pause leaves many
		slices.SortStableFunc(jobs, order)
	}
	return jobs
}

// LongestWaiting compares two jobs by which is to be read first where the last cycle had no time
// for all: what was not tried since its end, oldest first, then what was tried longest ago. In the
// order of Due the newest would never be read.
func LongestWaiting(a, b Job) int {
	return cmp.Or(a.tried.Compare(b.tried), a.From.Compare(b.From))
}

func (l *Ledger) due(s *slot, sp *slotSpan, now time.Time) bool {
	switch {
	case sp.settled:
		return false
	case sp.failed, sp.read.IsZero(), sp.read.After(now), sp.read.Before(sp.To), l.settles(s, sp, now):
		return true
	default:
		return now.Sub(sp.read) >= l.wait(sp, now)
	}
}

// longestWait is how far the readings of a slot without proof back off.
const longestWait = time.Hour

// wait returns how long after its last reading an ended span is read again. Past the settle time it
// grows with the time in which nothing new arrived anywhere.
func (l *Ledger) wait(sp *slotSpan, now time.Time) time.Duration {
	since := later(sp.To.Add(l.c.Settle), l.activity.lastGain)
	return max(l.c.Reread, min(now.Sub(since)/2, longestWait))
}
