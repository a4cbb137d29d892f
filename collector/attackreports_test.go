package collector

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// A token that an attack report names is asked about in the next cycle, before the thousands that
// wait in round robin.
func TestAttackReportsGivePriority(t *testing.T) {
	long(t)
	for _, reports := range []bool{false, true} {
		t.Run(fmt.Sprint(reports), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { attackReportsGivePriority(t, reports) })
		})
	}
}

func attackReportsGivePriority(t *testing.T, reports bool) {
	o := defaults()
	o.ForensicsRate = 0.1 // 60 calls a plan: a round takes hours
	var change []func(*abs.Config, *Target)
	if reports {
		change = append(change, withAttackReports)
	}
	s := newStory(t, simulator.Config{Seed: 11, StaleAttackListEntries: 500}, o, abs.Exclusive, change...)
	for i := range 2000 {
		s.sim.Add(simulator.Event{At: storyBegin.Add(-time.Minute), Token: fmt.Sprintf("explicit-token-%04d-of-many", i), API: "shop"})
	}
	s.until(20 * time.Minute)
	s.sim.AddAttack(simulator.Attack{
		Token: "explicit-token-1234-of-many", Type: "Data Poisoning Attack", APIs: []string{"shop"},
		From: storyBegin.Add(25 * time.Minute), To: storyBegin.Add(3 * time.Hour),
	})
	s.until(30 * time.Minute)
	line := `abs_attack_tokens{target="t",attack_type="Data Poisoning Attack",api="shop"}`
	if reports {
		s.shows(line+" 1", `abs_attack_type_info{target="t",attack_type="Data Poisoning Attack",id="15",category="data_tampering",severity="critical"} 1`)
	} else {
		s.shows("abs_attack_tokens")
	}
	if stale := s.sim.Stats(); reports && stale.Calls["forensics"] > 250 {
		t.Errorf("%d forensics calls: stale entries of the attack list were followed", stale.Calls["forensics"])
	}
}

// ABS refuses a restricted user forensics: the attack reports are the only source.
func TestRestrictedUser(t *testing.T) {
	s := newStory(t, simulator.Config{Seed: 12, Tokens: 3}, defaults(), abs.Exclusive, restricted, withAttackReports)
	token := "explicit-token-under-attack"
	s.sim.Add(simulator.Event{At: storyBegin.Add(time.Minute), Token: token, API: "shop"})
	s.sim.AddAttack(simulator.Attack{Token: token, Type: "Sequence Attack", From: storyBegin.Add(5 * time.Minute), To: storyBegin.Add(time.Hour)})
	s.until(20 * time.Minute)
	s.shows(`abs_flagged_tokens{target="t"} 1`, `abs_attack_tokens{target="t",attack_type="Sequence Attack",api="all"} 1`,
		`abs_attack_detections_total{target="t",attack_type="Sequence Attack",api="all"} 1`)
	s.until(5 * time.Hour)
	s.shows(`abs_flagged_tokens{target="t"} 0`, "abs_token_attack_active")
	if n := s.sim.Stats().Calls["forensics"]; n != 0 {
		t.Errorf("%d forensics calls as a restricted user", n)
	}
}

// An ABS without such reports is asked for them once, and all else goes on.
func TestWithoutAttackReports(t *testing.T) {
	s := newStory(t, simulator.Config{Seed: 13, Tokens: 3}, defaults(), abs.Exclusive, withAttackReports)
	for _, report := range []string{"attacklist", "attack"} {
		if err := s.sim.SetFaults(append(s.sim.Faults(), simulator.Fault{Report: report, Kind: "status", Code: 404})...); err != nil {
			t.Fatal(err)
		}
	}
	s.until(time.Hour)
	s.shows(`abs_up{target="t"} 1`)
	calls := s.sim.Stats().Calls
	if calls["attacklist"] != 1 || calls["attack"] != 1 || calls["forensics"] == 0 {
		t.Errorf("calls: %v", calls)
	}
	if n := strings.Count(s.log.String(), "does not have it as it is published"); n != 2 {
		t.Errorf("logged %d times: %s", n, s.log)
	}
}

// ABS asks for a pause, and refuses a token for its length.
func TestForensicsHeedsABS(t *testing.T) {
	s := newStory(t, simulator.Config{Seed: 14, Tokens: 3, URLLimit: 3000}, defaults(), abs.Exclusive)
	s.sim.Add(simulator.Event{At: storyBegin.Add(time.Minute), Token: "explicit-long-token-" + strings.Repeat("x", 4200), API: "shop"})
	s.until(40 * time.Minute)
	s.shows(`abs_exporter_forensics_tokens{state="skipped",target="t"} 1`, `abs_exporter_forensics_tokens{state="due",target="t"} 0`)
	if n := strings.Count(s.log.String(), "too long for a request"); n != 1 {
		t.Errorf("logged %d times: %s", n, s.log)
	}
	if err := s.sim.SetFaults(simulator.Fault{Report: "forensics", Kind: "status", Code: 429, RetryAfter: "1800"}); err != nil {
		t.Fatal(err)
	}
	before := s.sim.Stats().Calls["forensics"]
	s.until(66 * time.Minute)
	if n := s.sim.Stats().Calls["forensics"] - before; n < 1 || n > 6 {
		t.Errorf("%d calls in the half hour in which ABS asked for a pause", n)
	}
}
