package crash

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// window is the sliding window of forensics: its flag's default.
const window = 3 * time.Hour

// judgeDetections compares the detection counters with the attacks that there were. Forensics
// reports an attack from when it is visible until it has left the sliding window; one that returns
// before that is the same attack.
func (r *trial) judgeDetections(t *testing.T) {
	t.Helper()
	type subject struct{ token, kind, api string }
	spells := map[string]map[subject][]simulator.Attack{"attack": {}, "anomaly": {}}
	for _, a := range r.sim.Attacks(r.begin, r.end) {
		what := "attack"
		if a.Anomaly {
			what = "anomaly"
		}
		for _, api := range a.APIs {
			s := subject{a.Token, a.Type, api}
			spells[what][s] = append(spells[what][s], a)
		}
	}
	for what, subjects := range spells {
		want := map[string]int64{}
		for s, attacks := range subjects {
			slices.SortFunc(attacks, func(a, b simulator.Attack) int { return cmp.Compare(a.From.UnixNano(), b.From.UnixNano()) })
			var until time.Time
			for _, a := range attacks {
				if a.VisibleFrom.After(until) {
					want[s.kind+" on "+s.api]++
				}
				until = a.To.Add(window)
			}
		}
		got := map[string]int64{}
		for _, s := range r.books.page().counters {
			if s.family == "abs_"+what+"_detections_total" {
				got[s.labels[what+"_type"]+" on "+s.labels["api"]] += int64(s.value)
			}
		}
		if len(want) == 0 {
			t.Errorf("there was no %s", what)
		}
		for _, key := range keys(got, want) {
			if got[key] != want[key] {
				t.Errorf("%s %s was detected %d times, want %d", what, key, got[key], want[key])
			}
		}
	}
}
