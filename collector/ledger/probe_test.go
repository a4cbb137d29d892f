package ledger

import (
	"slices"
	"testing"
	"time"
)

// refusing is an ABS that answers 500 to what it refuses, and reads of which nothing comes.
type refusing struct {
	l       *Ledger
	now     time.Time
	refuses func(asked Span) bool
	others  bool // another report is read in each cycle

	wholes, probes int // requests of the slot of 10:00
}

// cycles runs cycles of two minutes.
func (a *refusing) cycles(n int) {
	for range n {
		a.now = a.now.Add(2 * time.Minute)
		a.l.Advance(a.now, 2*time.Minute)
		for _, j := range a.l.Due(a.now) {
			if j.From.Before(at("2026-11-23T10:00Z")) || !j.From.Before(at("2026-11-23T10:30Z")) {
				continue // only one slot is read at all
			}
			if j.Probe {
				a.probes++
			} else {
				a.wholes++
			}
			switch {
			case a.refuses(j.Span):
				a.l.Failed(j, ServerError)
			case j.Probe:
				a.l.ProbeRead(j)
			default:
				a.l.Apply(a.l.Begin(j, a.now), 100)
			}
		}
		if a.others {
			a.l.Answered()
		}
	}
}

func (a *refusing) minutes() (minutes []int) {
	for _, s := range a.l.slots {
		if s.From.Equal(at("2026-11-23T10:00Z")) {
			for _, sp := range s.spans {
				minutes = append(minutes, sp.Minutes())
			}
		}
	}
	return minutes
}

func newRefusing(refuses func(Span) bool) *refusing {
	a := &refusing{l: (&world{location: time.UTC, maxTokens: 1}).ledger(), now: at("2026-11-23T10:00Z"), refuses: refuses, others: true}
	a.l.Advance(a.now, 0)
	a.now = a.now.Add(31 * time.Minute)
	a.l.Advance(a.now, 31*time.Minute)
	return a
}

// A span that is answered 500 as a whole, and not in its beginning, is split to that length.
func TestProbeFindsTheLength(t *testing.T) {
	a := newRefusing(func(s Span) bool { return s.Minutes() > 8 })
	a.cycles(3)
	if a.probes != 0 || a.wholes != 3 {
		t.Fatalf("%d probes and %d requests of the whole in three cycles", a.probes, a.wholes)
	}
	a.cycles(2)
	if a.probes != 2 || a.wholes != 3 {
		t.Errorf("%d probes and %d requests of the whole in two cycles more", a.probes, a.wholes)
	}
	a.cycles(4)
	if got, want := a.minutes(), []int{7, 7, 7, 7, 2}; !slices.Equal(got, want) {
		t.Errorf("the slot is split to %v minutes, want %v", got, want)
	}
	l, err := Restore(a.l.c, a.l.State())
	if err != nil || !l.RefusesLongReports() || !slices.Equal((&refusing{l: l}).minutes(), a.minutes()) {
		t.Errorf("after a restart: %v, refuses long reports: %v", err, l.RefusesLongReports())
	}
}

// A span of which no probe is read stays whole, and is probed less and less often.
func TestProbingBacksOff(t *testing.T) {
	a := newRefusing(func(Span) bool { return true })
	var probes []int // in each seven hours
	for range 3 {
		before := a.probes
		a.cycles(210)
		probes = append(probes, a.probes-before)
	}
	if got := a.minutes(); len(got) != 1 {
		t.Errorf("the slot is split to %v minutes", got)
	}
	// 15, 7, 3 and 1 minutes each time: after an hour, two, four, and then every six.
	if want := []int{12, 8, 4}; !slices.Equal(probes, want) {
		t.Errorf("probes: %v, want %v", probes, want)
	}
	if a.wholes+a.probes != 630 {
		t.Errorf("%d requests in 630 cycles", a.wholes+a.probes)
	}
}

// While no other report is read, ABS is down, and nothing is probed.
func TestNoProbeWhileNothingIsRead(t *testing.T) {
	a := newRefusing(func(Span) bool { return true })
	a.others = false
	a.cycles(300)
	if a.probes != 0 {
		t.Errorf("%d probes while ABS answered nothing", a.probes)
	}
	a.others = true
	a.refuses = func(Span) bool { return false }
	a.cycles(60)
	if a.probes != 0 || len(a.minutes()) > 1 {
		t.Errorf("%d probes, split to %v", a.probes, a.minutes())
	}
}

// A whole that is read meanwhile ends the probing: it was refused for another reason.
func TestProbingEndsWhenTheWholeIsRead(t *testing.T) {
	a := newRefusing(func(s Span) bool { return s.Minutes() > 15 })
	a.cycles(4)
	a.refuses = func(Span) bool { return false }
	a.cycles(1)
	if a.probes != 1 || a.l.RefusesLongReports() || len(a.minutes()) != 1 || a.l.schedule.probes.after.Before(a.now) {
		t.Errorf("%d probes, split to %v, the next at %v", a.probes, a.minutes(), a.l.schedule.probes.after)
	}
}

// No other failure is a 500.
func TestOtherFailuresAreNotProbed(t *testing.T) {
	for _, why := range []Refusal{Unavailable, TimedOut} {
		a := newRefusing(func(Span) bool { return false })
		for n := range 90 {
			a.now = a.now.Add(2 * time.Minute)
			a.l.Advance(a.now, 2*time.Minute)
			for _, j := range a.l.Due(a.now) {
				if j.Probe {
					t.Fatalf("failure %d: probed in cycle %d", why, n)
				}
				if n%3 == 0 && why == Unavailable {
					a.l.Failed(j, why)
				} else {
					a.l.Failed(j, ServerError)
				}
				if why == TimedOut && n%2 == 0 {
					a.l.Failed(j, why)
				}
			}
			a.l.Answered()
		}
	}
}
