package findings

import (
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// exposition returns the values of a family's series after the target.
func exposition(blocks []metrics.Block, f *metrics.Family) map[string]int64 {
	all := map[string]int64{}
	for _, b := range blocks {
		for _, s := range b.Samples {
			if b.Family == f {
				all[s.Series.String()] = s.Value
			}
		}
	}
	return all
}

func newTestFindings(t *testing.T) *Findings {
	t.Helper()
	types, err := catalogue.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{
		Target: "t", Window: 3 * time.Hour, Interval: 2 * time.Minute, Reread: 10 * time.Minute,
		MaxTokens: 2, ZeroFor: 105 * time.Second, Catalogue: types,
		Hooks: Hooks{Tracked: func(tokenid.ID) bool { return true }},
	})
	f.reports = newAttackReports() // some report is read
	return f
}

// A finding that ends is exposed as 0 for one cycle and then goes, whether forensics lacks it or
// its token has left the window; one that begins again is 1.
func TestEndedFindingIsZeroForOneCycle(t *testing.T) {
	const series = `abs_token_attack_active{target="t",token="0000000000000007",attack_type="Sequence Attack",api="shop"}`
	begin := time.Unix(1e9, 0)
	attack := abs.Forensics{Attacks: 1, AttackTypes: []abs.Finding{{Type: "Sequence Attack", APIs: []string{"shop"}}}}
	ends := map[string]func(*Findings, time.Time){
		"answered": func(f *Findings, at time.Time) { f.active.answered(7, abs.Forensics{}, abs.Window{}, at) },
		"left":     func(f *Findings, at time.Time) { f.active.left(7, at) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newTestFindings(t)
			at := func(after time.Duration, value int64, exposed bool) {
				t.Helper()
				got, ok := exposition(f.Gauges(begin.Add(after)), metrics.TokenAttackActive)[series]
				if got != value || ok != exposed {
					t.Errorf("after %v: %d, exposed %v; want %d, %v", after, got, ok, value, exposed)
				}
			}
			f.active.answered(7, attack, abs.Window{}, begin)
			at(0, 1, true)
			end(f, begin.Add(time.Minute))
			at(time.Minute, 0, true)
			at(2*time.Minute, 0, true)
			at(3*time.Minute, 0, false)
			f.active.answered(7, attack, abs.Window{}, begin.Add(4*time.Minute))
			end(f, begin.Add(5*time.Minute))
			f.active.answered(7, attack, abs.Window{}, begin.Add(6*time.Minute))
			at(6*time.Minute, 1, true)
			end(f, begin.Add(7*time.Minute))
			at(7*time.Minute, 0, true)
			at(9*time.Minute, 0, false)
			if n := f.active.detections[Finding{Type: "Sequence Attack", API: "shop"}].Value; n != 3 {
				t.Errorf("%d detections of 3", n)
			}
		})
	}
}

// What is exposed for no token that is past --series.max-tokens, or too long ago, is not kept.
func TestEndedFindingsAreBounded(t *testing.T) {
	f := newTestFindings(t)
	begin := time.Unix(1e9, 0)
	attack := abs.Forensics{Attacks: 1, AttackTypes: []abs.Finding{{Type: "Sequence Attack", APIs: []string{"shop"}}}}
	for id := range tokenid.ID(10) {
		f.active.answered(id, attack, abs.Window{}, begin)
	}
	f.Gauges(begin)
	for id := range tokenid.ID(10) {
		f.active.left(id, begin)
	}
	if n := len(exposition(f.Gauges(begin), metrics.TokenAttackActive)); n != 2 {
		t.Errorf("%d series of the 2 that tokens may have", n)
	}
	f.Gauges(begin.Add(2 * time.Minute))
	f.Gauges(begin.Add(4 * time.Minute))
	if n := len(f.active.tokens); n != 0 {
		t.Errorf("%d tokens are remembered after all findings ended", n)
	}
}
