package simulator

import (
	"net/http"
	"testing"
	"time"
)

// outage is a simulated ABS with generated traffic and requests of Add, whose clock is set by hand.
type outage struct {
	*Simulator
	clock      *clock
	begin, end time.Time // of the traffic
}

func newOutage(t *testing.T, faults ...Fault) outage {
	t.Helper()
	o := outage{clock: &clock{}, begin: at("2026-03-03T00:00:00Z"), end: at("2026-03-04T00:00:00Z")}
	o.Simulator = New(Config{
		Seed: 3, Tokens: 20, Rate: 20, Begin: o.begin, End: o.end, Now: o.clock.Now,
		Delay: 10 * time.Minute, DelayMax: 30 * time.Minute,
	})
	for h := range 24 {
		o.Add(Event{At: o.begin.Add(time.Duration(h) * time.Hour), Token: "explicit", N: 7})
	}
	if err := o.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
	return o
}

// reported returns what ABS reports of all traffic at a time.
func (o outage) reported(t *testing.T, now time.Time) Totals {
	t.Helper()
	o.clock.now = now
	return addUp(t, tokens(t, o.Simulator, o.begin, o.end))
}

func TestOutageDeliversItsBacklog(t *testing.T) {
	from, to := at("2026-03-03T08:00:00Z"), at("2026-03-03T13:00:00Z")
	const worked = 30 * time.Minute
	calm := newOutage(t)
	for _, kind := range []string{FaultDown, FaultStandstill} {
		o := newOutage(t, Fault{Kind: kind, From: from, To: to, Delay: worked})
		known := calm.TruthVisible(o.begin, o.end, from)
		if known.Requests == 0 || calm.TruthVisible(o.begin, o.end, to).Requests == known.Requests {
			t.Fatal("no request arrives before the outage, or none in it")
		}
		// Each report at any time is what TruthVisible says.
		last := int64(0)
		for now := o.begin; now.Before(o.end.Add(2 * time.Hour)); now = now.Add(7 * time.Minute) {
			visible := o.TruthVisible(o.begin, o.end, now)
			if visible.Requests < last {
				t.Fatalf("%s: at %v %d requests are known, %d were before", kind, now, visible.Requests, last)
			}
			last = visible.Requests
			if kind == FaultStandstill || now.Before(from) || !now.Before(to) {
				mustEqual(t, kind+" at "+now.String(), o.reported(t, now), visible)
			}
			switch {
			case !now.Before(from) && !now.After(to):
				mustEqual(t, kind+": in the outage", visible, known)
			case now.Before(from) || !now.Before(to.Add(worked)):
				mustEqual(t, kind+": outside of it", visible, calm.TruthVisible(o.begin, o.end, now))
			}
		}
		first := o.reported(t, to)
		half := o.reported(t, to.Add(worked/2))
		all := o.reported(t, to.Add(worked))
		mustEqual(t, kind+": the first answer after the return", first, known)
		if half.Requests <= first.Requests || all.Requests <= half.Requests {
			t.Errorf("%s: the backlog comes as %d, %d, %d", kind, first.Requests, half.Requests, all.Requests)
		}
		mustEqual(t, kind+": in the end", o.reported(t, o.end.Add(time.Hour)), o.Truth(o.begin, o.end))
		mustEqual(t, kind+": the truth", o.Truth(o.begin, o.end), calm.Truth(o.begin, o.end))
	}
}

func TestDownAnswersErrorsOrEmptyReports(t *testing.T) {
	from, to := at("2026-03-03T08:00:00Z"), at("2026-03-03T13:00:00Z")
	for _, test := range []struct{ code, status int }{{0, 503}, {500, 500}, {200, 200}} {
		o := newOutage(t, Fault{Kind: FaultDown, Code: test.code, From: from, To: to, Delay: time.Hour})
		o.AddAttack(Attack{Token: "explicit", From: from.Add(-time.Hour), To: to.Add(time.Hour)})
		attackList := "/v4/abs/attacklist?" + windowQuery(o.begin, o.end)
		for now, status := range map[time.Time]int{
			from.Add(-time.Second): 200, from: test.status, to.Add(-time.Second): test.status, to: 200,
		} {
			o.clock.now = now
			a := ask(t, o.Simulator, attackList)
			if a.status != status {
				t.Errorf("code %d: at %v the status is %d, want %d", test.code, now, a.status, status)
			}
			if date := a.header.Get("Date"); date != now.Format(http.TimeFormat) {
				t.Errorf("the header Date is %q at %v", date, now)
			}
		}
		if test.status == 200 {
			if got := o.reported(t, from); got.Requests != 0 {
				t.Errorf("while down, %d requests are reported", got.Requests)
			}
		}
	}
}

// An attack that begins while ABS works through nothing is reported after its return.
func TestOutageDelaysAttacks(t *testing.T) {
	from, to := at("2026-03-03T08:00:00Z"), at("2026-03-03T13:00:00Z")
	o := newOutage(t, Fault{Kind: FaultStandstill, From: from, To: to, Delay: time.Hour})
	o.AddAttack(Attack{Token: "explicit", From: from.Add(time.Hour), To: to.Add(time.Hour)})
	for now, want := range map[time.Time]int{from.Add(2 * time.Hour): 0, to: 0, to.Add(time.Hour): 1} {
		o.clock.now = now
		if got := len(forensics(t, o.Simulator, o.begin, o.end, "explicit").Details.Attacks); got != want {
			t.Errorf("at %v forensics reports %d attacks, want %d", now, got, want)
		}
	}
}

func TestNodesDisagree(t *testing.T) {
	const behind = 20 * time.Minute
	o := newOutage(t, Fault{Kind: FaultBehind, Delay: behind, Probability: 1. / 3})
	now := at("2026-03-03T12:00:00Z")
	ahead, old := o.TruthVisible(o.begin, o.end, now), o.TruthVisible(o.begin, o.end, now.Add(-behind))
	if ahead.Requests == old.Requests {
		t.Fatal("the nodes know the same")
	}
	byNode := map[int64]int{}
	for range 300 {
		byNode[o.reported(t, now).Requests]++
	}
	if n := byNode[old.Requests]; n < 70 || n > 130 || n+byNode[ahead.Requests] != 300 {
		t.Errorf("of 300 answers %d are those of the node that is behind, %d of the others", n, byNode[ahead.Requests])
	}
	mustEqual(t, "in the end", o.reported(t, o.end.Add(2*time.Hour)), o.Truth(o.begin, o.end))
}

func TestOutagesAreChecked(t *testing.T) {
	from := at("2026-03-03T08:00:00Z")
	for _, f := range []Fault{
		{Kind: FaultDown},
		{Kind: FaultDown, From: from, To: from},
		{Kind: FaultStandstill, To: from},
		{Kind: FaultStandstill, From: from, To: from.Add(time.Hour), Report: "attack"},
		{Kind: FaultDown, From: from, To: from.Add(time.Hour), Probability: 0.5},
		{Kind: FaultDown, From: from, To: from.Add(time.Hour), Times: 1},
		{Kind: FaultBehind, Delay: -time.Minute},
	} {
		if err := New(Config{}).SetFaults(f); err == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}
