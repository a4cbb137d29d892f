package ledger

import (
	"slices"
	"time"
)

// probeRefusals is how many cycles in a row a span must be answered 500 before it is probed.
const probeRefusals = 3

// probeReads is how often a probe of the same length must be read before a span is split to it.
// Between two probes the whole span must be refused twice: a dead node behind a balancer answers
// 500 too, but to any request.
const probeReads = 3

// Probing backs off once it has found nothing.
const (
	firstProbeWait   = time.Hour
	longestProbeWait = 6 * time.Hour
)

// A span that is read after it was refused shows that ABS answers 500 for other reasons, too: no
// probing begins for probePause, and after probeDoubts such spans the learned length is discarded.
const (
	probePause  = 20 * time.Minute
	probeDoubts = 3
)

// probing is how far the ledger is with one span that ABS answers 500: whether that is for the
// length of its report, and to which length it must be split (rule 4).
type probing struct {
	refused  bool // answered 500 in this cycle
	refusals int  // in how many cycles in a row, those aside in which nothing else was read
	failures int  // series of probes that found nothing

	length time.Duration // of the probe; 0: not begun
	asked  bool          // the request of this cycle was the probe
	reads  int           // of probes of this length
	whole  bool          // the whole span is to be refused again before the next probe
}

// probes are what was learned from the probes of all spans.
type probes struct {
	readings uint64 // applied before this cycle
	answered bool   // another report was read in this cycle

	after time.Time // when a span may be probed next
	wait  time.Duration
	// doubts is how many spans were read after they had been refused, since the last split.
	doubts int

	length time.Duration // that spans were split to; 0: none was
	proven int64         // bytes of the longest report that was read since
}

// Answered records that ABS answered a report that no reading is made of.
func (l *Ledger) Answered() { l.schedule.probes.answered = true }

// RefusesLongReports reports whether ABS was found to answer 500 to reports for their length.
func (l *Ledger) RefusesLongReports() bool { return l.schedule.probes.length > 0 }

// Merges reports whether two reports of this length are short enough to be requested as one.
func (l *Ledger) Merges(bytes int64) bool {
	p := &l.schedule.probes
	return l.c.ResponseCap.Merges(bytes) && (p.length == 0 || 2*bytes <= p.proven)
}

// judgeRefusals ends the last cycle for the spans that were answered 500 in it.
func (l *Ledger) judgeRefusals(now time.Time) {
	p := &l.schedule.probes
	others := p.answered || l.readings > p.readings
	p.answered, p.readings = false, l.readings
	for _, s := range l.slots {
		for i := range s.spans {
			q := &s.spans[i].probing
			if q.refused && others { // otherwise ABS may be down
				l.judgeRefusal(&s.spans[i], now)
			}
			q.refused, q.asked = false, false
		}
	}
}

func (l *Ledger) judgeRefusal(sp *slotSpan, now time.Time) {
	q := &sp.probing
	q.refusals++
	switch {
	case q.whole:
		q.whole = false
	case !q.asked:
	case q.reads > 0 || q.length <= time.Minute: // at random, or whatever the length
		l.probedInVain(sp, now)
	default:
		q.length = max(time.Minute, (q.length / 2).Truncate(time.Minute))
	}
}

// probedInVain ends the probing of a span, and puts off that of all.
func (l *Ledger) probedInVain(sp *slotSpan, now time.Time) {
	p := &l.schedule.probes
	p.wait = min(max(2*p.wait, firstProbeWait), longestProbeWait)
	p.after = now.Add(p.wait)
	sp.probing = probing{refusals: sp.probing.refusals, failures: sp.probing.failures + 1}
}

// probe makes one of the jobs of a cycle a probe in place of the request that it was: the one that
// is being probed, else one that was probed least often.
func (l *Ledger) probe(jobs []Job, now time.Time) {
	best := -1
	var least *probing
	for i := range jobs {
		q := &jobs[i].span().probing
		if q.refusals < probeRefusals || jobs[i].Minutes() < 2 {
			continue
		}
		if begun := q.length > 0; best < 0 || begun || q.failures < least.failures {
			best, least = i, q
			if begun {
				break
			}
		}
	}
	switch {
	case best < 0, least.length == 0 && now.Before(l.schedule.probes.after):
		return
	case least.whole:
		jobs[best].Twice = true
		return
	}
	j, q := &jobs[best], least
	if q.length == 0 {
		q.length = (j.To.Sub(j.From) / 2).Truncate(time.Minute)
		if known := l.schedule.probes.length; known > 0 && known < j.To.Sub(j.From) {
			q.length = known
		}
	}
	to := l.c.Zone.FirstUnambiguous(j.From.Add(q.length), j.To)
	if !to.Before(j.To) { // nothing shorter can be requested
		l.probedInVain(j.span(), now)
		return
	}
	q.asked = true
	j.To, j.Probe = to, true
}

// ProbeRead records that a probe was read, which counts nothing. It returns true if that split the
// span.
func (l *Ledger) ProbeRead(j Job) (split bool) {
	s, sp := j.slot, j.span()
	if sp == nil {
		return false
	}
	q := &sp.probing
	sp.failed, sp.tried = true, l.clock.Wall() // the span itself is still to be read
	q.reads++
	q.asked = false
	p := &l.schedule.probes
	if q.reads < probeReads && p.length == 0 {
		q.whole = true
		return false
	}
	p.length, p.wait, p.after, p.doubts = q.length, 0, time.Time{}, 0
	var cuts []time.Time
	for from := sp.From; ; {
		from = l.c.Zone.FirstUnambiguous(from.Add(q.length), sp.To)
		if !from.Before(sp.To) {
			break
		}
		cuts = append(cuts, from)
	}
	l.openShorter(q.length)
	s.cut(slices.IndexFunc(s.spans, func(o slotSpan) bool { return o.Span == sp.Span }), cuts...)
	return true
}

// wasRead records that a span was read. If it was refused before, with no more in it than now, that
// was not for the length: no probing begins for a while, and what was learned is doubted.
func (l *Ledger) wasRead(sp *slotSpan, now time.Time, bytes int64) {
	p := &l.schedule.probes
	if sp.probing.length > 0 {
		l.probedInVain(sp, now)
	}
	if sp.probing.refusals > 0 {
		if after := now.Add(probePause); after.After(p.after) {
			p.after = after
		}
		if p.doubts++; p.doubts == probeDoubts {
			p.length, p.proven = 0, 0
		}
	}
	sp.probing = probing{}
	if p.length > 0 {
		p.proven = max(p.proven, bytes)
	}
}
