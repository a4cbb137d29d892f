package collector

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// balancer answers some calls itself, in place of a dead node behind it, and counts all.
type balancer struct {
	node   http.RoundTripper
	status int
	calls  int
	dead   func(call int) bool
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.calls++
	if !b.dead(b.calls) {
		return b.node.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: b.status, Status: http.StatusText(b.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(&bytes.Reader{}), Request: r,
	}, nil
}

// An ABS that answers 500 to every report above its cap is read in full, whatever the cap, and also
// where it begins to do so while slots are under way.
func TestErrorsForTheLengthSplit(t *testing.T) {
	long(t)
	for _, tt := range []struct {
		responseCap int64
		others      float64 // share of calls that fail for other reasons
	}{{6000, 0}, {12000, 0}, {30000, 0}, {12000, 0.03}} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			o := defaults()
			o.Forensics, o.StateDir = false, t.TempDir()
			s := newStory(t, simulator.Config{
				Seed: 6, Tokens: 20, MaxTokenLen: 60, Delay: 5 * time.Minute, ResponseCap: tt.responseCap, CapKind: simulator.CapError, End: storyBegin.Add(8 * time.Hour),
			}, o, abs.Exclusive, func(_ *abs.Config, t *Target) { t.ResponseCap = 1e6 })
			if err := s.sim.SetFaults(simulator.Fault{Kind: "status", Code: 500, Probability: max(tt.others, 1e-9), To: storyBegin.Add(10 * time.Hour)}); err != nil {
				t.Fatal(err)
			}
			s.until(4 * time.Hour)
			s.restart()
			s.until(11 * time.Hour)
			if s.counted() != s.truth() {
				t.Errorf("counted %d of %d", s.counted(), s.truth())
			}
			if n := s.books.value(metrics.MissedSlots); n != 0 {
				t.Errorf("%d slots missed", n)
			}
			s.shows(`abs_up{target="t"} 1`, `abs_exporter_slots{state="pending",target="t"} 0`)
			window := fmt.Sprintf(`abs_window_seconds{target="t"} %d`, int(o.Window/time.Second))
			s.shows(window)
		})
	}
}

// Errors that have nothing to do with the length of a report split nothing, and ABS is asked no
// more often than where they can never be taken for that.
func TestErrorsAtRandomSplitNothing(t *testing.T) {
	long(t)
	second := func(call int) bool { return call%2 == 0 }
	random := func(seed uint64) func(int) bool {
		r := rand.New(rand.NewPCG(seed, 0))
		return func(int) bool { return r.IntN(2) == 0 }
	}
	type run struct {
		name      string
		dead      func() func(int) bool
		tolerance int // one call more or less, and all that follow are others
	}
	runs := []run{{"every second call", func() func(int) bool { return second }, 0}}
	for seed := range uint64(3) {
		runs = append(runs, run{fmt.Sprintf("one call in two, %d", seed), func() func(int) bool { return random(seed) }, 60})
	}
	for _, tt := range runs {
		t.Run(tt.name, func(t *testing.T) {
			calls := map[int]int{}
			for _, status := range []int{500, 502, 503, 429} {
				o := defaults()
				o.Forensics = false
				s := newStory(t, simulator.Config{Seed: 7, Tokens: 5, Delay: 5 * time.Minute, End: storyBegin.Add(21 * time.Hour)}, o, abs.Exclusive)
				b := &balancer{node: s.sim.Transport(), status: status, dead: tt.dead()}
				var err error
				if s.rig, err = newRig(o, time.UTC, abs.Exclusive, 0, s.clock, b); err != nil {
					t.Fatal(err)
				}
				s.books = newBooks()
				s.enter()
				s.until(24 * time.Hour)
				if s.counted() != s.truth() {
					t.Errorf("%d: counted %d of %d", status, s.counted(), s.truth())
				}
				if n := strings.Count(s.log.String(), "slot split"); n != 0 {
					t.Errorf("%d: %d spans were split", status, n)
				}
				calls[status] = b.calls
			}
			t.Logf("calls in 24 h by status: %v", calls)
			if most := calls[503] + tt.tolerance; calls[500] > most {
				t.Errorf("%d calls to an ABS that answers 500, %d to one that answers 503", calls[500], calls[503])
			}
		})
	}
}
