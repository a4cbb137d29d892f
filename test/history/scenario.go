package history

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// key is what the token ids of the history are made with.
const key = "a key for the history only"

// The deployments. The second one sorts before the first.
const (
	first  = "prod"
	second = "branch"
)

// days is how far back the history goes. The last one is lived in detail.
const days = 31

// Now is when the history ends, on a Thursday afternoon.
var Now = time.Date(2026, 11, 19, 16, 0, 0, 0, time.UTC)

// Before the last day an attack began every so often, and an anomaly in between.
const every = 7 * time.Hour

// names of attack types of each severity; the last is in no catalogue.
const (
	critical = "Data Exfiltration Attack Type 1"
	warning  = "Content Scraping Type 2"
	info     = "Extreme Client Activity Attack"
	unknown  = "Session Riding Attack"
)

// types follow one another before the last day.
var types = []string{critical, warning, info, "Stolen Token Attack Type 1", unknown, "API Probing Replay Attack Type 1", "Data Deletion Attack"}

// Facts is what is known of the history beside what Prometheus stores.
type Facts struct {
	Now       time.Time `json:"now"`
	From      time.Time `json:"from"`
	Targets   []string  `json:"targets"`
	Campaign  Campaign  `json:"campaign"`
	Info      string    `json:"info"`      // the token of the attack of severity info
	Left      string    `json:"left"`      // a token whose attack ended before the window
	Blind     time.Time `json:"blind"`     // the second deployment has not answered for longer than the window
	BlindFrom time.Time `json:"blindFrom"` // since when
}

// Campaign is one attack that spreads.
type Campaign struct {
	Type   string    `json:"type"`
	API    string    `json:"api"`
	First  string    `json:"first"`  // the token that begins
	Begins time.Time `json:"begins"` // when ABS reports the first
	Tokens int       `json:"tokens"` // how many there are at the end
}

// scenario is what happens.
type scenario struct {
	facts Facts
	sims  map[string]*simulator.Simulator
}

// newScenario makes the deployments and everything that happens there.
func newScenario(clock func() time.Time) (*scenario, error) {
	begin := Now.Add(-days * 24 * time.Hour)
	s := &scenario{facts: Facts{Now: Now, From: begin, Targets: []string{first, second}}, sims: map[string]*simulator.Simulator{}}
	for i, name := range s.facts.Targets {
		s.sims[name] = simulator.New(simulator.Config{
			Seed: uint64(20 + i), Tokens: 10 - 4*i, Rate: 40, Begin: begin.Add(-24 * time.Hour), Now: clock,
			Delay: 10 * time.Minute, DelayMax: 25 * time.Minute, Transactions: int64(400e6 + 300e6*float64(i)), MaxTokenLen: 200,
			Training: map[string]time.Time{"cards": {}},
		})
	}
	s.month(begin)
	s.campaign()
	if err := s.faults(); err != nil {
		return nil, err
	}
	return s, nil
}

// month is what happened before the last day: attacks of each type, and anomalies.
func (s *scenario) month(begin time.Time) {
	for n, name := range s.facts.Targets {
		sim := s.sims[name]
		tokens := slices.Sorted(maps.Keys(sim.Truth(begin, begin.Add(24*time.Hour)).ByToken))
		apis := []string{"shop", "payments", "accounts", "search"}
		i := 0
		for at := begin.Add(time.Duration(n+1) * 3 * time.Hour); at.Before(Now.Add(-26 * time.Hour)); at = at.Add(every / 2) {
			sim.AddAttack(simulator.Attack{
				Token: tokens[i%len(tokens)], Type: types[i/2%len(types)], ID: 90 + i/2%len(types), APIs: apis[i%len(apis) : i%len(apis)+1],
				From: at, To: at.Add(50 * time.Minute), Anomaly: i%2 == 1,
			})
			i++
		}
	}
}

// campaign is the last day: a quiet night, a busy day, and a token after which sixty follow.
func (s *scenario) campaign() {
	at := func(hour, minute int) time.Time {
		return time.Date(Now.Year(), Now.Month(), Now.Day(), hour, minute, 0, 0, time.UTC)
	}
	s.facts.Campaign = Campaign{Type: critical, API: "payments", Begins: at(9, 30), Tokens: 61}
	sim := s.sims[first]
	apis := []string{"shop", "search", "accounts", "payments", "transfers"}
	for i := range 90 {
		token := fmt.Sprintf("eyJhbGciOiJSUzI1NiJ9.%026d", 4711*i+1)
		id := tools.TokenID(key, token)
		attack := simulator.Attack{Token: token, Type: critical, ID: 1, APIs: []string{"payments"}}
		switch {
		case i == 0:
			attack.From = s.facts.Campaign.Begins
			s.facts.Campaign.First = id
		case i <= 60:
			attack.From = at(12, 40).Add(time.Duration(i) * 45 * time.Second)
		case i == 61:
			attack.Type, attack.ID, attack.APIs, attack.From = info, 10, []string{"search"}, at(13, 5)
			s.facts.Info = id
		case i == 62:
			attack.Type, attack.ID, attack.APIs, attack.From = warning, 28, []string{"shop"}, at(11, 15)
		case i == 63:
			attack.Type, attack.ID, attack.APIs, attack.From = unknown, 77, []string{"accounts"}, at(14, 20)
		case i == 64:
			attack.Type, attack.ID, attack.APIs, attack.From, attack.To = warning, 28, []string{"search"}, at(7, 0), at(8, 0)
			s.facts.Left = id
		case i < 70:
			attack.From, attack.Anomaly = at(10, 5*i%60), true
		default:
			attack.Token = ""
		}
		if attack.Token != "" {
			sim.AddAttack(attack)
		}
		for t := Now.Add(-24*time.Hour + time.Duration(i)*7*time.Second); t.Before(Now); t = t.Add(5 * time.Minute) {
			if n := int64(float64(2+i%7) * busy(t)); n > 0 && (t.After(attack.From.Add(-2*time.Hour)) || attack.Token == "") && (attack.To.IsZero() || t.Before(attack.To)) {
				sim.Add(simulator.Event{
					At: t, VisibleFrom: t.Truncate(10 * time.Minute).Add(20 * time.Minute), Token: token, N: n,
					IP: fmt.Sprintf("203.0.113.%d", i), Device: []string{"ANDROID", "IOS", "LINUX"}[i%3],
					Method: []string{"GET", "GET", "POST", "PUT"}[(i+t.Minute())%4], API: apis[(i+t.Minute()/20)%len(apis)],
				})
			}
		}
	}
	other := s.sims[second]
	token := slices.Sorted(maps.Keys(other.Truth(Now.Add(-time.Hour), Now).ByToken))[0]
	other.AddAttack(simulator.Attack{Token: token, Type: "Stolen Token Attack Type 1", ID: 4, APIs: []string{"accounts"}, From: at(14, 45)})
}

// busy is how much of a day's traffic there is: most in the afternoon, none at night.
func busy(t time.Time) float64 {
	hour := float64(t.Hour()) + float64(t.Minute())/60
	return max(0, math.Sin((hour-6)/16*math.Pi))
}

// faults make the second deployment silent for eight hours ten days ago, and reports as slow as
// real ones.
func (s *scenario) faults() error {
	s.facts.BlindFrom = Now.Add(-10 * 24 * time.Hour)
	s.facts.Blind = s.facts.BlindFrom.Add(6 * time.Hour)
	slow := []simulator.Fault{
		{Kind: simulator.FaultSlow, Report: "oauthtokens", Delay: 2600 * time.Millisecond},
		{Kind: simulator.FaultSlow, Report: "forensics", Delay: 240 * time.Millisecond},
	}
	if err := s.sims[first].SetFaults(slow...); err != nil {
		return err
	}
	return s.sims[second].SetFaults(append(slow, simulator.Fault{
		Kind: simulator.FaultDown, From: s.facts.BlindFrom, To: s.facts.BlindFrom.Add(8 * time.Hour), Delay: time.Hour,
	})...)
}
