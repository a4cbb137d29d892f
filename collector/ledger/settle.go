package ledger

import "time"

// Settling follows the data (rule 3). A slot is proven once a later one held requests. While
// nothing new arrives at all nothing settles, and after such a pause the settle time runs from its
// end: what was late when the feed stopped comes with the backlog.

// quiet is how long nothing new may arrive before that is taken for a feed that stands still. The
// rest of the settle time is for requests that were late when it stopped.
func (c *Config) quiet() time.Duration { return max(c.Settle/3, twoBatches) }

// proves records that a reading of a slot held requests: the earlier slots are proven by it.
func (l *Ledger) proves(s *slot, began time.Time) {
	l.activity.held = l.readings
	for _, o := range l.slots {
		if o.state == Open && o.proven.IsZero() && o.From.Before(s.From) {
			o.proven = began
		}
	}
}

// trustsEmpty reports whether an empty reading of a span may settle it: if the one before was empty
// too, and a reading in between held requests. An ABS in trouble may answer with empty reports.
func (l *Ledger) trustsEmpty(sp *slotSpan) bool { return sp.empty && l.activity.held > sp.reading }

// settles reports whether a reading of a span that begins at a time is its last one.
func (l *Ledger) settles(s *slot, sp *slotSpan, began time.Time) bool {
	switch {
	case s.proven.IsZero(), began.Sub(l.activity.lastGain) > l.c.quiet(), !l.clock.Trusted(l.c.MaxBackfill):
		return false
	case s.proven.Sub(s.To) > l.c.Settle/2:
		return !began.Before(later(s.proven, l.activity.resumed).Add(l.c.Settle))
	default:
		return !began.Before(later(sp.To, l.activity.resumed).Add(l.c.Settle))
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// tooOld reports whether a slot is past Config.MaxBackfill, whatever the wall clock did meanwhile.
func (l *Ledger) tooOld(s *slot) bool { return l.age(s) > l.c.MaxBackfill }

// age returns the time since the end of a slot.
func (l *Ledger) age(s *slot) time.Duration { return l.clock.Elapsed() - s.ended }

// Close closes the slots that are too old, unless the clock disagrees with ABS's. It ends the
// readings of a cycle.
func (l *Ledger) Close() {
	if !l.clock.Trusted(l.c.MaxBackfill) {
		return
	}
	for _, s := range l.slots {
		switch {
		case s.state != Open || !l.tooOld(s):
		case s.unread():
			l.health.missed.Value++
			s.close(Missed)
		default:
			l.health.unproven.Value++
			s.close(Unproven)
		}
	}
	l.prune()
}

// ApplyNothing ends a reading whose report had neither a summary nor rows. It proves nothing,
// settles nothing, and is no baseline: nobody knows whether the slot is empty.
func (l *Ledger) ApplyNothing(r *Reading) {
	defer l.Discard(r)
	sp := r.job.span()
	l.finishReading(r.job.slot, sp, r.began, 0, false)
}
