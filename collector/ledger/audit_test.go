package ledger

import (
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// auditedLedger is a ledger whose slots of 10:00 to 13:00 are settled, those to 12:00 with 100
// requests each.
type auditedLedger struct {
	l     *Ledger
	now   time.Time
	slots map[string]int64 // what ABS reports, by the beginning
	seams int64            // what it reports of the stretch beyond its slots

	unsettled int64 // requests of a slot that no audit reads
}

const auditInterval = 24 * time.Hour

func newAuditedLedger(t *testing.T) *auditedLedger {
	t.Helper()
	a := &auditedLedger{
		l:     (&world{location: time.UTC, maxTokens: 1}).ledger(),
		now:   at("2026-11-23T10:00Z"),
		slots: map[string]int64{"10:00": 100, "10:30": 100, "11:00": 100, "11:30": 100},
	}
	a.l.c.Keep = 3 * auditInterval
	a.l.Advance(a.now, 0)
	// A later slot that grows proves those before it, and is not settled itself.
	for a.now = at("2026-11-23T15:00Z"); !a.now.After(at("2026-11-23T17:30Z")); a.now = a.now.Add(30 * time.Minute) {
		a.slots["13:00"]++
		a.l.Advance(a.now, 30*time.Minute)
		for _, j := range a.l.Due(a.now) {
			r := a.l.Begin(j, a.now)
			if n := a.slots[j.From.Format("15:04")]; n > 0 {
				add(r, []event{of(1, "GET", n)})
			}
			a.l.Apply(r, 100)
		}
		a.l.Close()
	}
	a.unsettled = a.slots["13:00"]
	return a
}

// audit runs one audit, an interval after the last, and returns what it found and how many readings
// it took. late adds to what ABS reports after the slots were read.
func (a *auditedLedger) audit(late map[string]int64) (found Difference, readings int) {
	a.now = a.now.Add(auditInterval)
	a.l.StartAudit(a.now, a.now.Add(auditInterval))
	a.l.audit.Running, a.l.audit.Began, a.l.audit.Found = true, a.now, Difference{}
	for {
		due, ok := a.l.DueAudit(auditInterval / 2)
		if !ok {
			a.l.EndAudit()
			return a.l.audit.Found, readings
		}
		readings++
		var n int64
		if due.Seams() {
			for from, more := range late {
				a.slots[from] += more
			}
			n = a.seams
		}
		for _, s := range due.slots {
			n += a.slots[s.From.Format("15:04")]
		}
		r := a.l.BeginAudit(due, a.now)
		add(r, []event{of(1, "GET", n)})
		a.l.ApplyAudit(r, due)
	}
}

func TestAudit(t *testing.T) {
	type audit struct {
		report, late map[string]int64
		seams        int64
		found        Difference
		counted      int64
	}
	for name, audits := range map[string][]audit{
		"nothing": {{counted: 400}, {counted: 400}, {counted: 400}},
		"both signs, and later only what is still so": {
			{report: map[string]int64{"10:00": 600, "10:30": 50}, found: Difference{Missing: 500, Surplus: 50}, counted: 900},
			{found: Difference{Surplus: 50}, counted: 900},
			{counted: 900},
		},
		"what comes between the audits": {
			{counted: 400},
			{report: map[string]int64{"11:30": 107}, found: Difference{Missing: 7}, counted: 407},
			{report: map[string]int64{"11:30": 120}, counted: 407},
		},
		"what comes while a stretch is read is found once": {
			{late: map[string]int64{"10:30": 9}, found: Difference{Missing: 9}, counted: 409},
			{counted: 409},
		},
		"more than that comes until the second audit": {
			{late: map[string]int64{"10:30": 9}, found: Difference{Missing: 9}, counted: 409},
			{report: map[string]int64{"10:30": 112}, found: Difference{Missing: 3}, counted: 412},
		},
		"a minute at the seams that no slot has": {
			{seams: 12, found: Difference{Missing: 12}, counted: 412},
			{counted: 412},
		},
		"a minute at the seams that two slots have": {
			{seams: -12, found: Difference{Surplus: 12}, counted: 400},
			{found: Difference{Surplus: 12}, counted: 400},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuditedLedger(t)
			for i, step := range audits {
				for from, n := range step.report {
					a.slots[from] = n
				}
				a.seams += step.seams
				found, _ := a.audit(step.late)
				if found != step.found || a.l.Requests()-a.unsettled != step.counted {
					t.Errorf("audit %d found %+v and counted %d in all, want %+v and %d", i+1, found, a.l.Requests()-a.unsettled, step.found, step.counted)
				}
				b := books{l: a.l, byToken: map[tokenid.ID]int64{}}
				if err := b.check(); err != nil {
					t.Error(err)
				}
				var err error
				if a.l, err = Restore(a.l.c, a.l.State()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// An audit reads each slot, and each stretch of the clock for its seams; a third one nothing of
// them.
func TestAuditReadings(t *testing.T) {
	a := newAuditedLedger(t)
	for i, want := range []int{5, 5, 0} {
		if _, n := a.audit(nil); n != want {
			t.Errorf("audit %d took %d readings, want %d", i+1, n, want)
		}
	}
}

// A stretch waits until all its slots are settled: it is the same one each time.
func TestStretchesAreAlignedToTheClock(t *testing.T) {
	a := newAuditedLedger(t)
	for stretch := range a.l.stretches() {
		if from := stretch[0].From; !from.Equal(from.Truncate(2 * time.Hour)) {
			t.Errorf("a stretch begins at %v", from)
		}
		if to := stretch[len(stretch)-1].To; !to.Equal(to.Truncate(2 * time.Hour)) {
			t.Errorf("a stretch ends at %v", to)
		}
	}
}

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04Z", s)
	if err != nil {
		panic(err)
	}
	return t
}
