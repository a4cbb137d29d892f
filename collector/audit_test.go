package collector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// audited is an ABS with steady traffic and an exporter that audits every six hours.
func audited(t *testing.T, events ...simulator.Event) *story {
	t.Helper()
	o := defaults()
	o.Audit, o.Forensics, o.StateDir = 6*time.Hour, false, t.TempDir()
	s := newStory(t, simulator.Config{Seed: 2, Tokens: 5, Delay: 5 * time.Minute}, o, abs.Exclusive)
	for _, e := range events {
		s.sim.Add(e)
	}
	return s
}

// audits returns how many audits ended.
func (s *story) audits() int { return strings.Count(s.log.String(), "audit done") }

// untilAudits runs cycles until so many audits more have ended.
func (s *story) untilAudits(n int) {
	s.t.Helper()
	for want := s.audits() + n; s.audits() < want; {
		s.until(s.clock.Now().Add(s.o.Interval).Sub(storyBegin))
		if s.clock.Now().After(storyBegin.Add(72 * time.Hour)) {
			s.t.Fatalf("no audit for days: %s", s.log)
		}
	}
}

func difference(missing, surplus int) []string {
	return []string{
		fmt.Sprintf(`abs_exporter_audit_missing_requests{target="t"} %d`, missing),
		fmt.Sprintf(`abs_exporter_audit_surplus_requests{target="t"} %d`, surplus),
	}
}

// 500 requests more in one slot and 500 fewer in the next one, of the same token: not 0 together.
// What is found stays shown across a restart.
func TestAuditShowsBothSigns(t *testing.T) {
	long(t)
	const token = "a-token-that-comes-and-goes"
	settled := storyBegin.Add(8 * time.Hour)
	s := audited(t,
		simulator.Event{At: storyBegin.Add(4*time.Hour + 10*time.Minute), VisibleFrom: settled, Token: token, N: 500},
		simulator.Event{At: storyBegin.Add(4*time.Hour + 40*time.Minute), VisibleUntil: settled, Token: token, N: 500},
	)
	s.shows("abs_exporter_audit_missing_requests", "abs_exporter_audit_surplus_requests")
	s.until(8 * time.Hour)
	before := s.counted()
	s.untilAudits(1)
	for n := 0; !strings.Contains(s.log.String(), "audit found"); n++ {
		if n > 3 {
			t.Fatalf("no audit found anything: %s", s.log)
		}
		s.untilAudits(1)
	}
	s.shows(difference(500, 500)...)
	if other := s.books.value(metrics.TokenRequests, "_other"); before == 0 || other != 500 {
		t.Errorf("counted %d, then under _other %d, 500 wanted", before, other)
	}
	s.restart()
	s.shows(difference(500, 500)...)
	// Each slot is read twice. What was missing is counted by now; the surplus is still one.
	s.untilAudits(1)
	s.shows(difference(0, 500)...)
	s.untilAudits(1)
	s.shows(difference(0, 0)...)
	if n := strings.Count(s.log.String(), "audit found uncounted"); n != 0 {
		t.Errorf("%d times after the restart, the same requests were found again: %s", n, s.log)
	}
}

// What comes after a slot was audited is found by the second audit of it, and only by that.
func TestAuditReadsTwice(t *testing.T) {
	long(t)
	at := storyBegin.Add(4*time.Hour + 10*time.Minute)
	s := audited(t)
	s.until(8 * time.Hour) // the slot has just settled
	s.untilAudits(1)
	s.sim.Add(simulator.Event{At: at, VisibleFrom: s.clock.Now(), Token: "a-token-that-came-too-late", N: 17})
	s.untilAudits(1)
	s.shows(difference(17, 0)...)
	s.untilAudits(1)
	s.shows(difference(0, 0)...)
	s.sim.Add(simulator.Event{At: at.Add(time.Minute), Token: "a-token-that-came-too-late", N: 4})
	s.untilAudits(2)
	if strings.Count(s.log.String(), "audit found") != 1 {
		t.Errorf("a slot was read three times: %s", s.log)
	}
}

// An audit goes on where it was when the exporter ended, and one that was due meanwhile begins.
func TestAuditContinuesAfterRestart(t *testing.T) {
	long(t)
	s := audited(t, simulator.Event{At: storyBegin.Add(4 * time.Hour), VisibleFrom: storyBegin.Add(8 * time.Hour), Token: "a-token-that-came-too-late", N: 17})
	o := s.o
	s.until(8 * time.Hour)
	next := auditAt(s.clock.Now(), o.Audit, "t")
	s.until(next.Sub(storyBegin) - o.Interval)
	s.restart()
	done, cycles := 0, 0
	for ; done == 0; s.restart() {
		cycles++
		s.until(s.clock.Now().Add(o.Interval).Sub(storyBegin))
		done += s.audits()
		if s.clock.Now().After(next.Add(time.Hour)) {
			t.Fatal("the audit does not end")
		}
	}
	s.shows(difference(17, 0)...)
	if cycles != 3 {
		t.Errorf("the audit of 13 readings took %d cycles, each with a restart after it", cycles)
	}
	// Down while the next one is due.
	next = auditAt(s.clock.Now(), o.Audit, "t")
	s.clock.set(next.Add(time.Hour).Truncate(o.Interval))
	s.restart()
	s.until(next.Add(2 * time.Hour).Sub(storyBegin))
	if s.audits() != 1 {
		t.Errorf("%d audits ended after a pause in which one was due: %s", s.audits(), s.log)
	}
}

// An ABS that takes the minute of later_date into the window, and an exporter that does not know:
// the requests of that minute are counted in two slots. Only the seams show it.
func TestAuditReadsSeams(t *testing.T) {
	o := defaults()
	o.Audit, o.Forensics = 6*time.Hour, false
	s := newStory(t, simulator.Config{Seed: 1, InclusiveEnd: true}, o, abs.Exclusive)
	for m := range 24 * 60 {
		s.sim.Add(simulator.Event{At: storyBegin.Add(time.Duration(m) * time.Minute), Token: "some-long-token-of-a-user", N: 3})
	}
	s.until(14 * time.Hour)
	s.untilAudits(1)
	s.shows(`abs_exporter_audit_missing_requests{target="t"} 0`)
	lines := strings.Join(s.scrape(t), "\n")
	if strings.Contains(lines, `abs_exporter_audit_surplus_requests{target="t"} 0`) || !strings.Contains(s.log.String(), "at_seams=true") {
		t.Errorf("the minutes that were counted twice do not show: %s", s.log)
	}
}

// A feed that stands still for longer than --collect.max-backfill leaves unproven slots. Their
// backlog comes when they are closed, and the audit counts it, under _other.
func TestAuditReadsUnprovenSlots(t *testing.T) {
	long(t)
	o := defaults()
	o.Forensics, o.Audit = false, 24*time.Hour
	s := newStory(t, simulator.Config{Seed: 12, Tokens: 12, Rate: 60, End: storyBegin.Add(50 * time.Hour), Delay: 10 * time.Minute}, o, abs.Exclusive)
	begin, end := storyBegin.Add(10*time.Hour), storyBegin.Add(40*time.Hour)
	if err := s.sim.SetFaults(simulator.Fault{Kind: simulator.FaultStandstill, From: begin, To: end, Delay: backlogTime}); err != nil {
		t.Fatal(err)
	}
	s.until(end.Sub(storyBegin))
	if s.books.value(metrics.UnprovenSlots) == 0 {
		t.Error("no slot is unproven: nothing was tested")
	}
	s.untilAudits(1)
	other := s.books.value(metrics.TokenRequests, metrics.Other)
	if other == 0 {
		t.Error("the audit counted nothing")
	}
	s.shows(difference(int(other), 0)...)
	s.until(64 * time.Hour)
	if s.counted() != s.truth() {
		t.Errorf("counted %d of %d", s.counted(), s.truth())
	}
}
