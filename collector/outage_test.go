package collector

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// outages are the kinds of time in which ABS works through nothing.
var outages = map[string]simulator.Fault{
	"down":            {Kind: simulator.FaultDown},
	"empty reports":   {Kind: simulator.FaultDown, Code: http.StatusOK},
	"feed standstill": {Kind: simulator.FaultStandstill},
}

const (
	outageBegin = 10 * time.Hour // after the traffic's
	trafficEnd  = 44 * time.Hour
	backlogTime = time.Hour
)

// newOutageStory is an ABS with traffic for 44 hours, an outage, and an exporter with an audit.
func newOutageStory(t *testing.T, fault simulator.Fault, length time.Duration, dir string) *story {
	t.Helper()
	o := defaults()
	o.Forensics = false
	o.StateDir = dir
	o.Audit = 6 * time.Hour
	s := newStory(t, simulator.Config{
		Seed: 12, Tokens: 12, Rate: 60, End: storyBegin.Add(trafficEnd), Delay: 10 * time.Minute, DelayMax: 30 * time.Minute,
	}, o, abs.Exclusive)
	fault.From = storyBegin.Add(outageBegin)
	fault.To = fault.From.Add(length)
	fault.Delay = backlogTime
	if err := s.sim.SetFaults(fault); err != nil {
		t.Fatal(err)
	}
	return s
}

// countedAll checks that all requests were counted, each under its token.
func (s *story) countedAll() {
	s.t.Helper()
	truth := s.sim.Truth(storyBegin, storyBegin.Add(trafficEnd))
	if got := s.counted(); got != truth.Requests {
		s.t.Errorf("counted %d, requested were %d", got, truth.Requests)
	}
	if n := s.books.value(metrics.MissedSlots); n != 0 {
		s.t.Errorf("%d slots are missed", n)
	}
	if n := s.books.value(metrics.TokenRequests, "_other"); n != 0 {
		s.t.Errorf("%d requests are under _other, and each token had an index", n)
	}
	if n := s.books.ended[metrics.TokenRequests.Name]; n != 0 {
		s.t.Errorf("series of tokens ended with %d requests", n)
	}
	for token, want := range truth.ByToken {
		id := testKey.ID([]byte(token)).String()
		if got := s.books.value(metrics.TokenRequests, id); got != want.Requests {
			s.t.Errorf("token %s: counted %d, requested were %d", id, got, want.Requests)
		}
	}
}

// An outage of ABS or of its feed loses nothing, and moves nothing to other, within max-backfill.
func TestOutageLosesNothing(t *testing.T) {
	long(t)
	for kind, fault := range outages {
		for _, hours := range []int{1, 3, 6, 12, 16} {
			t.Run(fmt.Sprint(kind, " ", hours, " h"), func(t *testing.T) {
				t.Parallel()
				s := newOutageStory(t, fault, time.Duration(hours)*time.Hour, "")
				s.until(48 * time.Hour)
				s.countedAll()
			})
		}
	}
}

// The same where the exporter is restarted in the outage, while the backlog comes, and after it.
func TestOutageWithRestartsLosesNothing(t *testing.T) {
	long(t)
	const length = 5 * time.Hour
	for kind, fault := range outages {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newOutageStory(t, fault, length, t.TempDir())
			for _, at := range []time.Duration{length / 2, length, length + backlogTime/2, length + 2*backlogTime} {
				s.until(outageBegin + at)
				s.restart()
			}
			s.until(48 * time.Hour)
			s.countedAll()
		})
	}
}

// TestEachRequestOnceAfterOutages is TestEachRequestOnce with outages that are longer than the
// settle time. That is twice as long as requests are late, a node is behind included, so that a
// proof that is on time leaves time enough for what else an outage made late.
func TestEachRequestOnceAfterOutages(t *testing.T) {
	eachRequestOnce(t, propertyRuns(testing.Short()), 8*time.Hour, 160*time.Minute)
}
