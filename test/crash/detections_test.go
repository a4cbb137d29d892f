package crash

import (
	"testing"
	"time"
)

// window is the sliding window of forensics: its flag's default.
const window = 3 * time.Hour

// judgeDetections compares the detection counters with the attacks that there were.
func (r *trial) judgeDetections(t *testing.T) {
	t.Helper()
	for _, what := range []string{"attack", "anomaly"} {
		want, got := r.detections(what == "anomaly"), map[string]int64{}
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

// detections returns how often attacks or anomalies are to be detected, by type and API. Forensics
// reports an attack from when it is visible until it has left the sliding window; one that returns
// before that is the same attack.
func (r *trial) detections(anomalies bool) map[string]int64 {
	type subject struct{ token, kind, api string }
	out := map[string]int64{}
	until := map[subject]time.Time{}
	for _, a := range r.sim.Attacks(r.begin, r.end) { // in the order of their begins
		if a.Anomaly != anomalies {
			continue
		}
		for _, api := range a.APIs {
			s := subject{a.Token, a.Type, api}
			if a.VisibleFrom.After(until[s]) {
				out[s.kind+" on "+api]++
			}
			until[s] = a.To.Add(window)
		}
	}
	return out
}
