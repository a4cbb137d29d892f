package simulator

import (
	"cmp"
	"slices"
	"time"
)

// Attack is an attack of a token on APIs, or an anomaly of the token.
type Attack struct {
	Token         string    `json:"token"`
	Type          string    `json:"type"`
	ID            int       `json:"id"`
	APIs          []string  `json:"apis"` // empty: across APIs, reported as "all"
	From          time.Time `json:"from"`
	To            time.Time `json:"to,omitzero"`              // zero: it doesn't end
	VisibleFrom   time.Time `json:"visible_from,omitzero"`    // when ABS reports it; zero: from From on
	ForensicsOnly bool      `json:"forensics_only,omitempty"` // neither attack list nor attack report names it
	Anomaly       bool      `json:"anomaly,omitempty"`        // an anomaly, which only forensics reports
}

// Across is ABS's own word for the APIs of an attack across APIs.
const Across = "all"

type attackType struct {
	id     int
	name   string
	across bool
}

// attackTypes are those that ABS finds by a token, spelled as its pages do (facts 5); among them a
// name that is written in two ways.
var attackTypes = []attackType{
	{1, "Data Exfiltration Attack Type 1", false},
	{4, "Stolen Token Attack Type 1", false},
	{5, "API Memory Attack Type 1", false},
	{6, "API Memory Attack Type 2", false},
	{8, "API Probing Replay Attack Type 1", false},
	{9, "API DDoS Attack Type 1", false},
	{10, "Extreme Client Activity Attack", false},
	{11, "Extreme App Activity Attack", false},
	{14, "Data Deletion Attack", false},
	{15, "Data Poisoning Attack", false},
	{16, "Stolen Token Attack Type 2", true},
	{19, "API Probing Replay Attack Type 2", true},
	{21, "Data Exfiltration Attack Type 2", false},
	{23, "Excessive Client Connections", true},
	{26, "Content Scraping Type 1", true},
	{28, "Content Scraping Type 2", false},
	{36, "Sequence Attack", true},
	{37, "Header Manipulation Attack", false},
	{41, "Query Manipulation Attack", false},
}

// AddAttack adds attacks to those of the schedule.
func (s *Simulator) AddAttack(attacks ...Attack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range attacks {
		s.attacks = append(s.attacks, a.withDefaults())
	}
}

func (a Attack) withDefaults() Attack {
	a.APIs = slices.Clone(a.APIs)
	if len(a.APIs) == 0 {
		a.APIs = []string{Across}
	}
	if a.VisibleFrom.IsZero() {
		a.VisibleFrom = a.From
	}
	a.Type = cmp.Or(a.Type, attackTypes[0].name)
	for _, t := range attackTypes {
		if a.ID == 0 && t.name == a.Type {
			a.ID = t.id
		}
	}
	return a
}

// Attacks returns all that overlap [from, to), whether they are visible yet or not, in the order of
// their begins: the truth about attacks.
func (s *Simulator) Attacks(from, to time.Time) []Attack {
	return s.attacksIn(between(from, to), func(Attack) bool { return true })
}

func (s *Simulator) attacksIn(spans []span, keep func(Attack) bool) []Attack {
	var out []Attack
	add := func(a Attack) {
		if a.overlaps(spans) && keep(a) {
			out = append(out, a)
		}
	}
	if t := &s.traffic; len(spans) > 0 && s.cfg.AttackEvery > 0 && t.tokens > 0 {
		every, most := int64(s.cfg.AttackEvery), int64(s.cfg.AttackLast)*3/2
		lo, hi := spans[0].lo, spans[len(spans)-1].hi
		if t.begin > lo/second {
			lo = t.begin * second
		}
		if t.end < hi/second {
			hi = t.end * second
		}
		for k := floorDiv(lo-most, every) - 1; k*every < hi; k++ {
			if a, ok := s.scheduled(k); ok {
				add(a)
			}
		}
	}
	s.mu.Lock()
	for _, a := range s.attacks {
		add(a)
	}
	s.mu.Unlock()
	slices.SortStableFunc(out, func(a, b Attack) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Token, b.Token), cmp.Compare(a.Type, b.Type))
	})
	return out
}

func (a *Attack) overlaps(spans []span) bool {
	from, to := a.From.UnixNano(), int64(ever)
	if !a.To.IsZero() {
		to = a.To.UnixNano()
	}
	return slices.ContainsFunc(spans, func(s span) bool { return from < s.hi && to > s.lo })
}

// scheduled returns the k-th attack of the schedule; not ok: there is no traffic then.
func (s *Simulator) scheduled(k int64) (Attack, bool) {
	t := &s.traffic
	h := mix(mix(t.seed, k2), uint64(k))
	every, last := uint64(s.cfg.AttackEvery), uint64(s.cfg.AttackLast)
	from := k*int64(every) + int64(below(mix(h, 1), every/2+1))
	to := from + int64(last/2+below(mix(h, 2), last+1))
	at := floorDiv(from, second)
	if at < t.begin || at >= t.end {
		return Attack{}, false
	}
	id := s.attacker(h, at)
	kind := attackTypes[below(mix(h, 3), uint64(len(attackTypes)))]
	a := Attack{
		Token: string(t.appendToken(nil, id)),
		Type:  kind.name, ID: kind.id,
		From: time.Unix(0, from).UTC(), To: time.Unix(0, to).UTC(),
		VisibleFrom: time.Unix(0, from).Add(s.cfg.AttackDelay).UTC(),
		Anomaly:     mix(h, 4)&3 == 0,
	}
	if !kind.across {
		p := t.profile(t.tokenSeed(id))
		for j := range 1 + below(mix(h, 6), p.apis) {
			if name := t.apis[p.api[j]]; !slices.Contains(a.APIs, name) && !s.inTraining(name, a.From) {
				a.APIs = append(a.APIs, name)
			}
		}
		if len(a.APIs) == 0 {
			return Attack{}, false
		}
	}
	return a.withDefaults(), true
}

// inTraining returns whether an API is in the training of Config.Training: ABS finds no attacks on
// it.
func (s *Simulator) inTraining(api string, at time.Time) bool {
	end, ok := s.cfg.Training[api]
	return ok && (end.IsZero() || at.Before(end))
}

// attacker picks a token: every other time any, else the busiest of eight, so that attacks come
// from tokens of every size and in a small demo some come from tokens that are tracked.
func (s *Simulator) attacker(h uint64, at int64) tokenID {
	t := &s.traffic
	var best tokenID
	for i := range 1 + 7*(h&1) {
		slot := uint32(below(mix(h, 100+i), t.tokens))
		id := tokenID{slot, t.lifeAt(slot, at)}
		if i == 0 || t.tokenSeed(id)>>52 > t.tokenSeed(best)>>52 {
			best = id
		}
	}
	return best
}

// findings returns the types of the attacks, or of the anomalies, with the APIs of each.
func findings(attacks []Attack, anomaly bool) map[string][]string {
	out := map[string][]string{}
	for _, a := range attacks {
		for _, api := range a.APIs {
			if a.Anomaly == anomaly && !slices.Contains(out[a.Type], api) {
				out[a.Type] = append(out[a.Type], api)
			}
		}
	}
	return out
}
