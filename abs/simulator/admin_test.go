package simulator

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What the admin report says follows Config and the faults, from their begin to their end.
func TestAdminState(t *testing.T) {
	from, to := someTo.Add(time.Hour), someTo.Add(3*time.Hour)
	for name, c := range map[string]struct {
		fault         Fault
		calm, faulted string
	}{
		"license":   {Fault{Kind: FaultLicense}, `"expired": false`, `"expired": true`},
		"training":  {Fault{Kind: FaultTraining, API: "shop"}, `"api_name": "shop"+"prediction_mode": true`, `"api_name": "shop"+"prediction_mode": false`},
		"untracked": {Fault{Kind: FaultUntracked, API: "shop"}, `"api_name": "shop"+"token": true`, `"api_name": "shop"+"token": false`},
		"disk":      {Fault{Kind: FaultDisk, Share: 0.9}, `"filesystem": "28%"`, `"filesystem": "90%"`},
		"filling":   {Fault{Kind: FaultDisk, Share: 0.9, Delay: 2 * time.Hour}, `"filesystem": "28%"`, `"filesystem": "59%"`},
		"node":      {Fault{Kind: FaultNodeGone}, `"node_ip": "127.0.0.2"`, `"node_ip": "127.0.0.1"`},
		"mongodb":   {Fault{Kind: FaultMongoDB}, `"status": "up"`, `"status": "down"`},
		"zone":      {Fault{Kind: FaultZone, Body: "Asia/Kolkata"}, `"timezone": "utc"`, `"timezone": "Asia/Kolkata"`},
	} {
		clock := &clock{now: someTo}
		s := New(Config{Seed: 1, Now: clock.Now, APIs: []string{"shop"}})
		c.fault.From, c.fault.To = from, to
		if err := s.SetFaults(c.fault); err != nil {
			t.Fatal(err)
		}
		has := func(want string) bool {
			object, member, _ := strings.Cut(want, "+")
			return slices.ContainsFunc(strings.Split(strings.ReplaceAll(ask(t, s, "/v5/abs/admin").body, `"jwt": {}`, ""), "{"), func(o string) bool {
				return strings.Contains(o, object) && strings.Contains(o, member)
			})
		}
		for _, step := range []struct {
			at      time.Time
			faulted bool
		}{{someTo, false}, {from.Add(time.Hour), true}, {to, false}} {
			clock.now = step.at
			if step.faulted && !has(c.faulted) || !step.faulted && !has(c.calm) || step.faulted && name == "node" && has(c.calm) {
				t.Errorf("%s: at %v:\n%s", name, step.at, ask(t, s, "/v5/abs/admin").body)
			}
			if a := ask(t, s, "/v4/abs/oauthtokens?"+someWindow); a.status != 200 {
				t.Errorf("%s: another report is answered with %d", name, a.status)
			}
		}
	}
	for _, f := range []Fault{
		{Kind: FaultLicense},
		{Kind: FaultTraining},
		{Kind: FaultZone, API: "shop"},
		{Kind: FaultDisk, Report: "admin"},
		{Kind: FaultMongoDB, Times: 1},
		{Kind: FaultNodeGone, Probability: 0.5},
	} {
		if err := New(Config{}).SetFaults(f); err == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}

func TestVersion44(t *testing.T) {
	s := New(Config{Version44: true})
	if a := ask(t, s, "/v5/abs/admin"); a.status != 404 {
		t.Errorf("at the path of 5.x: %d", a.status)
	}
	if a := ask(t, s, "/v4/abs/admin"); a.status != 200 || strings.Contains(a.body, "zone") {
		t.Errorf("%d\n%s", a.status, a.body)
	}
}

// While an API is in training it is not in prediction mode, and has no attacks of the schedule.
func TestTraining(t *testing.T) {
	clock := &clock{now: someTo}
	end := someTo.Add(12 * time.Hour)
	s := New(Config{
		Seed: 1, Now: clock.Now, Tokens: 50, Rate: 100, APIs: []string{"shop", "cards"},
		AttackEvery: time.Minute, Training: map[string]time.Time{"cards": end},
	})
	count := func(from, to time.Time, api string) (n int) {
		for _, a := range s.Attacks(from, to) {
			if slices.Contains(a.APIs, api) && !a.From.Before(from) && a.From.Before(to) {
				n++
			}
		}
		return n
	}
	before, after := count(someTo, end, "cards"), count(end, end.Add(12*time.Hour), "cards")
	if other := count(someTo, end, "shop"); before != 0 || after < 100 || other < 100 {
		t.Errorf("%d attacks in training, %d after it, %d on another API", before, after, other)
	}
	if body := ask(t, s, "/v5/abs/admin").body; strings.Count(body, `"prediction_mode": false`) != 2 { // and the decoy
		t.Errorf("in training:\n%s", body)
	}
	clock.now = end
	if body := ask(t, s, "/v5/abs/admin").body; strings.Count(body, `"prediction_mode": false`) != 1 {
		t.Errorf("after it:\n%s", body)
	}
}
