package ledger

import (
	"slices"
	"time"
)

// Refusal is why a report could not be had, as far as it tells what to do about it.
type Refusal int

// The refusals.
const (
	Unavailable Refusal = iota // no fault of the window's length
	TooLarge                   // refused as too large, or the body ended early
	TimedOut
)

// Failed tells that the reading of a job failed. A failed reading changes no count. It
// returns false when the window ought to be cut but is too short for it.
func (l *Ledger) Failed(j Job, why Refusal) bool {
	w := j.piece()
	if w == nil {
		return true
	}
	w.failed = true
	switch why {
	case Unavailable:
		return true
	case TimedOut:
		// One halving a cycle, and none for a single bad moment: a slow ABS is not to be
		// asked more for being slow.
		if w.timeouts++; w.timeouts < 2 || l.timedOut {
			return true
		}
	case TooLarge:
	}
	if _, ok := l.c.Zone.halve(j.Span); !ok {
		return false
	}
	l.timedOut = l.timedOut || why == TimedOut
	w.cut, w.asked = true, j.Span
	return true
}

// Halves are the two jobs that a job would be cut into; ok is false where it is too
// short, or was found not to be mended by cutting. Nothing is cut yet.
func (l *Ledger) Halves(j Job) (halves [2]Job, ok bool) {
	w := j.piece()
	at, ok := l.c.Zone.halve(j.Span)
	if w == nil || w.whole || !ok {
		return halves, false
	}
	early, late := j, j
	early.Span, early.whole, early.quiet = Span{j.From, at}, Span{w.From, at}, true
	late.Span, late.whole = Span{at, j.To}, Span{at, w.To}
	return [2]Job{early, late}, true
}

// Cut cuts a job as Halves told.
func (l *Ledger) Cut(j Job) {
	w := j.piece()
	w.asked = j.Span
	for i := range j.part.pieces {
		if &j.part.pieces[i] == w {
			l.halve(j.part, i)
			return
		}
	}
}

// KeepWhole tells that cutting a job does not bring more rows.
func (l *Ledger) KeepWhole(j Job) { j.piece().whole = true }

func (j Job) piece() *piece {
	for i := range j.part.pieces {
		if j.part.pieces[i].Span == j.whole {
			return &j.part.pieces[i]
		}
	}
	return nil
}

// cutMarked halves the pieces that are to be read in halves from now on.
func (l *Ledger) cutMarked() {
	l.timedOut = false
	for _, p := range l.parts {
		for i := 0; i < len(p.pieces); i++ {
			if p.pieces[i].cut {
				l.halve(p, i)
			}
		}
	}
}

func (l *Ledger) halve(p *part, i int) {
	w := p.pieces[i]
	span := w.Span
	if w.asked.To.After(w.asked.From) {
		span = w.asked // of a slot that has not ended, only what was asked for is too much
	}
	p.pieces[i].cut = false
	at, ok := l.c.Zone.halve(span)
	if !ok {
		return
	}
	left := w.left
	switch {
	case w.told != nil:
		left = w.told
	case left == nil && len(p.pieces) == 1:
		all := p.counted
		left, p.counted = &all, shares{}
	}
	p.pieces = slices.Replace(p.pieces, i, i+1,
		piece{Span: Span{w.From, at}, baseline: w.baseline, joined: slices.Clone(w.joined), left: left},
		piece{Span: Span{at, w.To}, baseline: w.baseline, joined: w.joined, left: left})
	// By a half at a time: what was cut may have been the first minutes of a slot that
	// has not ended, on a bad moment of ABS.
	l.piece = max(time.Minute, l.piece/2, min(l.piece, at.Sub(span.From), span.To.Sub(at))).Truncate(time.Minute)
}

// grow lets new slots be read in longer pieces again, once a whole slot's pieces were
// short enough for two to go into one.
func (l *Ledger) grow(s *slot) {
	if s.large < l.c.ResponseCap/5 {
		l.piece = min(2*l.piece, l.c.Slot)
	}
}
