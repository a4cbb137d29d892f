package simulator

import (
	"cmp"
	"slices"
	"time"
)

// Attack is a token under attack, or an anomaly of it.
type Attack struct {
	Token       string    `json:"token"`
	Type        string    `json:"type"`
	ID          int       `json:"id"`
	APIs        []string  `json:"apis"` // empty: across APIs, told as "all"
	From        time.Time `json:"from"`
	To          time.Time `json:"to,omitzero"`           // zero: it doesn't end
	VisibleFrom time.Time `json:"visible_from,omitzero"` // when forensics tells it; zero: from From on
	HintedFrom  time.Time `json:"hinted_from,omitzero"`  // when the hints tell it; zero: Config.HintDelay after VisibleFrom
	NoHint      bool      `json:"no_hint,omitempty"`     // the hints never tell it
	Anomaly     bool      `json:"anomaly,omitempty"`     // told as an anomaly; the hints don't tell anomalies
}

// Across is ABS's own word for the APIs of an attack across APIs.
const Across = "all"

type attackType struct {
	id     int
	name   string
	across bool
}

// attackTypes are those that ABS finds by a token, spelled as its pages do (facts 5);
// among them a name that is written in two ways.
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

// AddAttack lets tokens come under attack.
func (s *Simulator) AddAttack(attacks ...Attack) {
	added := make([]Attack, len(attacks))
	for i, a := range attacks {
		added[i] = s.complete(a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attacks = append(s.attacks, added...)
}

func (s *Simulator) complete(a Attack) Attack {
	a.APIs = slices.Clone(a.APIs)
	if len(a.APIs) == 0 {
		a.APIs = []string{Across}
	}
	if a.VisibleFrom.IsZero() {
		a.VisibleFrom = a.From
	}
	if a.HintedFrom.IsZero() {
		a.HintedFrom = a.VisibleFrom.Add(s.cfg.HintDelay)
	}
	if a.Type == "" {
		a.Type = attackTypes[0].name
	}
	for _, t := range attackTypes {
		if a.ID == 0 && t.name == a.Type {
			a.ID = t.id
		}
	}
	return a
}

// Attacks are all that overlap [from, to), whether they are visible yet or not, in the
// order of their begins: the truth about attacks.
func (s *Simulator) Attacks(from, to time.Time) []Attack {
	return s.attacksIn(between(from, to), func(Attack) bool { return true })
}

func (s *Simulator) attacksIn(spans []span, keep func(Attack) bool) []Attack {
	var out []Attack
	take := func(a Attack) {
		if a.overlaps(spans) && keep(a) {
			out = append(out, a)
		}
	}
	if len(spans) > 0 && s.cfg.AttackEvery > 0 && s.traffic.tokens > 0 {
		every, most := int64(s.cfg.AttackEvery), int64(s.cfg.AttackLast)*3/2
		lo, hi := spans[0].lo, spans[len(spans)-1].hi
		if t := s.traffic; t.begin > lo/second {
			lo = t.begin * second
		}
		if t := s.traffic; t.end < hi/second {
			hi = t.end * second
		}
		for k := floorDiv(lo-most, every) - 1; k*every < hi; k++ {
			if a, ok := s.scheduled(k); ok {
				take(a)
			}
		}
	}
	s.mu.Lock()
	for _, a := range s.attacks {
		take(a)
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
	for _, s := range spans {
		if from < s.hi && to > s.lo {
			return true
		}
	}
	return false
}

// scheduled is the k-th attack of the schedule; not ok: there is no traffic then.
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
	id := s.target(h, at)
	kind := attackTypes[below(mix(h, 3), uint64(len(attackTypes)))]
	a := Attack{
		Token: string(t.appendToken(nil, id)),
		Type:  kind.name, ID: kind.id,
		From: time.Unix(0, from).UTC(), To: time.Unix(0, to).UTC(),
		VisibleFrom: time.Unix(0, from).Add(s.cfg.AttackDelay).UTC(),
		Anomaly:     mix(h, 4)&3 == 0,
		NoHint:      unit(mix(h, 5)) >= s.cfg.HintShare,
	}
	if !kind.across {
		p := t.profile(t.tokenSeed(id))
		for j := range 1 + below(mix(h, 6), p.apis) {
			if name := t.apis[p.api[j]]; !slices.Contains(a.APIs, name) {
				a.APIs = append(a.APIs, name)
			}
		}
	}
	return s.complete(a), true
}

// target picks a token: every other time any, else the busiest of eight, so that
// attacks come upon tokens of every size and a small demo has some on tokens that show.
func (s *Simulator) target(h uint64, at int64) tokenID {
	t := &s.traffic
	tries := 1 + 7*(h&1)
	var best tokenID
	for i := range tries {
		slot := uint32(below(mix(h, 100+i), t.tokens))
		id := tokenID{slot, t.lifeAt(slot, at)}
		if i == 0 || t.tokenSeed(id)>>52 > t.tokenSeed(best)>>52 {
			best = id
		}
	}
	return best
}

// finding is an attack type of one token and the APIs it is seen on.
type finding struct {
	name string
	apis []string
}

func findings(attacks []Attack, anomaly bool) []finding {
	var out []finding
next:
	for _, a := range attacks {
		if a.Anomaly != anomaly {
			continue
		}
		for i := range out {
			if out[i].name == a.Type {
				for _, api := range a.APIs {
					if !slices.Contains(out[i].apis, api) {
						out[i].apis = append(out[i].apis, api)
					}
				}
				continue next
			}
		}
		out = append(out, finding{a.Type, slices.Clone(a.APIs)})
	}
	return out
}
