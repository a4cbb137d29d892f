package planner

import (
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

func none(tokenid.ID) (Suspect, bool) { return Suspect{}, false }

// A hinted token whose call failed is asked about in the next plan.
func TestFailedHintIsAskedAgain(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	p.Hint(7, []byte("x"))
	q, _ := p.Next()
	p.Failed(q, now)
	p.Choose(10, now, none).Done()
	if q, ok := p.Next(); !ok || q.ID != 7 || string(q.Token) != "x" {
		t.Errorf("next is %+v, %v", q, ok)
	}
}

// A flood of hints leaves half of the calls to those in turn.
func TestTurnGetsHalf(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	c := p.Choose(1000, now, none)
	for id := range tokenid.ID(5000) {
		c.Offer(id<<48, []byte("x"), 1)
	}
	c.Done()
	for id := range tokenid.ID(5000) {
		p.Hint(id<<48|1, []byte("x"))
	}
	kinds := map[Kind]int{}
	for range 1000 {
		q, _ := p.Next()
		kinds[q.Kind]++
		p.Answered(q, false, now)
	}
	if kinds[InTurn] < 450 || kinds[Hinted] < 450 {
		t.Errorf("calls by kind: %v", kinds)
	}
}

// A refused token is not asked about again, and is forgotten with the window.
func TestRefused(t *testing.T) {
	p, now := New(time.Minute), time.Unix(1e9, 0)
	offer := func(ids ...tokenid.ID) {
		c := p.Choose(10, now, none)
		for _, id := range ids {
			c.Offer(id, []byte("x"), 1)
		}
		c.Done()
	}
	offer(1)
	q, _ := p.Next()
	p.Refused(q, now)
	offer(1, 2)
	if q, _ := p.Next(); q.ID != 2 || p.Coverage().Skipped != 1 {
		t.Errorf("next is %v, coverage %+v", q.ID, p.Coverage())
	}
	offer(2)
	if n := p.Coverage().Skipped; n != 0 {
		t.Errorf("%d skipped tokens that are not in the window", n)
	}
}
