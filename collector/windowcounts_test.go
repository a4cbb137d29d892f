package collector

import (
	"fmt"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Distinct addresses and devices are counted once, however many rows a token has, whether it is in
// one report or in several spans of the window, and whether ip is a dimension or not.
func TestDistinctCountsOfTheWindow(t *testing.T) {
	stolen, own := "explicit-token-of-a-thief-00000000", "explicit-token-of-a-user-000000000"
	for name, test := range map[string]struct {
		config      simulator.Config
		responseCap int64
	}{
		"one row":      {simulator.Config{Seed: 1}, 0},
		"several rows": {simulator.Config{Seed: 1, SplitRows: 1}, 0},
		"spans":        {simulator.Config{Seed: 1, ResponseCap: 6000, CapKind: simulator.CapStatus}, 6000},
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults()
			o.Forensics = false
			s := newStory(t, test.config, o, abs.Exclusive, func(_ *abs.Config, t *Target) { t.ResponseCap = max(test.responseCap, 1e6) })
			for m := range 120 {
				at := storyBegin.Add(time.Duration(m) * time.Minute)
				s.sim.Add(
					simulator.Event{At: at, Token: stolen, API: "shop", IP: fmt.Sprintf("10.1.0.%d", m%40), Device: fmt.Sprintf("DEVICE_%d", m%7)},
					simulator.Event{At: at, Token: own, API: "shop", IP: fmt.Sprintf("10.1.0.%d", m%2), Device: "LINUX"},
				)
			}
			s.until(150 * time.Minute)
			thief, user := testKey.ID([]byte(stolen)).String(), testKey.ID([]byte(own)).String()
			s.shows(
				`abs_window_ips{target="t"} 40`,
				`abs_token_window_ips{target="t",token="`+thief+`"} 40`, `abs_token_window_devices{target="t",token="`+thief+`"} 7`,
				`abs_token_window_ips{target="t",token="`+user+`"} 2`, `abs_token_window_devices{target="t",token="`+user+`"} 1`,
				`abs_token_window_requests{target="t",token="`+user+`"} 120`,
			)
			if split := s.window.spans > 1; split != (test.responseCap > 0) {
				t.Errorf("the window is read in %d spans", s.window.spans)
			}
			s.until(6 * time.Hour)
			s.shows(metrics.TokenWindowIPs.Name, metrics.TokenWindowDevices.Name, `abs_window_ips{target="t"} 0`)
		})
	}
}
