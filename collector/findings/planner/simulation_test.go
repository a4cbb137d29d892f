package planner

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

var update = flag.Bool("update", false, "write the table of docs/forensics.md anew")

// The ABS of the simulation, and the settings: the defaults, with 100,000 tokens.
const (
	simTokens   = 100_000
	simAttacks  = 200
	simRate     = 10.0
	simInterval = 2 * time.Minute
	simReread   = 10 * time.Minute
	simWindow   = 3 * time.Hour
	simHintLate = 10 * time.Minute
	simLength   = 30 * time.Hour
)

// attack is one attack, and what came of it.
type attack struct {
	token      int
	begin, end time.Duration // when forensics of the window tell it
	hinted     time.Duration // when the hints do; 0: never
	seen, gone time.Duration // by the exporter; 0: not
}

// simulation is tokens whose traffic wavers, and attacks on tokens of every size, at any
// time, that do not show in how busy a token is: the hardest case for a planner.
type simulation struct {
	ids     []tokenid.ID
	size    []int64
	attacks []*attack
	on      map[int]*attack
}

func newSimulation() *simulation {
	rng := rand.New(rand.NewPCG(5, 5))
	s := &simulation{on: map[int]*attack{}}
	for i := range simTokens {
		s.ids = append(s.ids, tokenid.ID(rng.Uint64()))
		s.size = append(s.size, int64(20_000/(i+1)+5)) // a few are very busy
	}
	for i := range simAttacks {
		// One on every 500 tokens by size, spread evenly over time and over the space of
		// ids (golden ratio and plastic number), so that 200 are enough to compare by. They
		// last for longer than the bound.
		_, place := math.Modf(float64(i) * 0.7548776662466927)
		token := i * (simTokens / simAttacks)
		for j := token; j < (i+1)*(simTokens/simAttacks); j++ {
			if distance(s.ids[j], place) < distance(s.ids[token], place) {
				token = j
			}
		}
		_, part := math.Modf(float64(i) * 0.5698402909980532)
		begin := 6*time.Hour + time.Duration(part*float64(8*time.Hour))
		a := &attack{token: token, begin: begin, end: begin + 7*time.Hour + time.Duration(rng.Int64N(int64(2*time.Hour)))}
		s.attacks = append(s.attacks, a)
		s.on[token] = a
	}
	return s
}

func distance(id tokenid.ID, place float64) float64 { return math.Abs(float64(id)/round - place) }

// requests of a token in the window: it wavers, and one in a thousand jumps.
func (s *simulation) requests(token int, window int) int64 {
	h := uint64(token)*0x9e3779b97f4a7c15 + uint64(window)*0xbf58476d1ce4e5b9
	h ^= h >> 31
	h *= 0x94d049bb133111eb
	h ^= h >> 29
	n := s.size[token] * int64(80+h%41) / 100
	if h>>32%1000 == 0 {
		n *= 8
	}
	return n
}

func (a *attack) on(now time.Duration) bool { return a != nil && now >= a.begin && now < a.end }

// ask is one forensics call; it tells whether there is a finding, and notes what it
// tells the exporter.
func (s *simulation) ask(token int, now time.Duration) bool {
	a := s.on[token]
	if a.on(now) {
		if a.seen == 0 {
			a.seen = now
		}
		return true
	}
	if a != nil && a.seen != 0 && a.gone == 0 {
		a.gone = now
	}
	return false
}

// calls of a cycle: the reports that feed the counters take a twentieth of the time.
const simCalls = int(simRate * 0.95 * float64(simInterval/time.Second))

func callTime(cycle time.Duration, n int) time.Duration {
	return cycle + simInterval/20 + time.Duration(float64(n)/simRate*float64(time.Second))
}

func runPlanner(s *simulation, hints bool) {
	start := time.Unix(1e9, 0)
	p := New(simReread / 2)
	byID := map[tokenid.ID]int{}
	for i, id := range s.ids {
		byID[id] = i
	}
	answered := map[tokenid.ID]Suspect{}
	for now := time.Duration(0); now < simLength; now += simInterval {
		if now%simReread == 0 {
			c := p.Choose(int(simRate*simReread.Seconds()), start.Add(now), func(id tokenid.ID) (Suspect, bool) {
				x, ok := answered[id]
				return x, ok
			})
			for i, id := range s.ids {
				c.Offer(id, []byte("t"), s.requests(i, int(now/simReread)))
			}
			c.Done()
		}
		if hints {
			for _, a := range s.attacks {
				if a.hinted != 0 && a.hinted <= now && a.hinted > now-simInterval {
					p.Hint(s.ids[a.token], []byte("t"))
				}
			}
		}
		for n := range simCalls {
			q, ok := p.Next()
			if !ok {
				break
			}
			at := callTime(now, n)
			found := s.ask(byID[q.ID], at)
			known := answered[q.ID].Findings
			if found || known {
				answered[q.ID] = Suspect{Answered: start.Add(at), Findings: found}
			}
			p.Answered(q, found && !known, start.Add(at))
		}
	}
}

// runInTurn asks every token once a round.
func runInTurn(s *simulation) {
	order := make([]int, simTokens)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.ids[a], s.ids[b]) })
	next := 0
	for now := time.Duration(0); now < simLength; now += simInterval {
		for n := range simCalls {
			s.ask(order[next%simTokens], callTime(now, n))
			next++
		}
	}
}

// runBySize asks the busiest tokens of each window report.
func runBySize(s *simulation) {
	order := make([]int, simTokens)
	for i := range order {
		order[i] = i
	}
	next := 0
	for now := time.Duration(0); now < simLength; now += simInterval {
		if now%simReread == 0 {
			window := int(now / simReread)
			slices.SortFunc(order, func(a, b int) int { return cmp.Compare(s.requests(b, window), s.requests(a, window)) })
			next = 0
		}
		for n := range simCalls {
			s.ask(order[next%simTokens], callTime(now, n))
			next++
		}
	}
}

const never = time.Duration(math.MaxInt64)

// times are how long something took, sorted.
type times []time.Duration

func (t times) at(share float64) time.Duration { return t[min(len(t)-1, int(share*float64(len(t))))] }

func (t times) String() string {
	text := func(d time.Duration) string {
		if d == never {
			return "never"
		}
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	missed := 0
	for _, d := range t {
		if d == never {
			missed++
		}
	}
	return fmt.Sprintf("%s | %s | %s | %d", text(t.at(0.5)), text(t.at(0.95)), text(t[len(t)-1]), missed)
}

func measure(s *simulation, of func(*attack) bool, took func(*attack) time.Duration) times {
	var all times
	for _, a := range s.attacks {
		if of(a) {
			all = append(all, took(a))
		}
	}
	slices.Sort(all)
	return all
}

func toSeen(a *attack) time.Duration {
	if a.seen == 0 {
		return never
	}
	return a.seen - a.begin
}

func hintToSeen(a *attack) time.Duration {
	if a.seen == 0 {
		return never
	}
	return max(0, a.seen-a.hinted)
}

func toGone(a *attack) time.Duration {
	if a.gone == 0 {
		return never
	}
	return a.gone - a.end
}

func every(*attack) bool     { return true }
func hinted(a *attack) bool  { return a.hinted != 0 }
func wasSeen(a *attack) bool { return a.seen != 0 }

func TestSimulation(t *testing.T) {
	run := func(with func(*simulation), hints bool) *simulation {
		s := newSimulation()
		for i, a := range s.attacks {
			if hints && i%2 == 0 {
				a.hinted = a.begin + simHintLate
			}
		}
		with(s)
		return s
	}
	plain := run(func(s *simulation) { runPlanner(s, false) }, false)
	withHints := run(func(s *simulation) { runPlanner(s, true) }, true)
	inTurn := run(runInTurn, false)
	bySize := run(runBySize, false)
	// The same attacks without hints: what the hints are held against.
	for i, a := range plain.attacks {
		if i%2 == 0 {
			a.hinted = a.begin + simHintLate
		}
	}

	rows := []struct {
		name  string
		times times
	}{
		{"seen: the plan, without hints", measure(plain, every, toSeen)},
		{"seen: asking in turn", measure(inTurn, every, toSeen)},
		{"seen: asking the busiest", measure(bySize, every, toSeen)},
		{"seen: the plan, hints for half of the attacks, all attacks", measure(withHints, every, toSeen)},
		{"seen: the same, the attacks with a hint", measure(withHints, hinted, toSeen)},
		{"from the hint to being seen: the attacks with a hint", measure(withHints, hinted, hintToSeen)},
		{"ended, still shown: the plan, without hints", measure(plain, wasSeen, toGone)},
		{"ended, still shown: asking in turn", measure(inTurn, wasSeen, toGone)},
		{"ended, still shown: asking the busiest", measure(bySize, wasSeen, toGone)},
	}
	var table strings.Builder
	table.WriteString("| what | median | p95 | worst | never |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&table, "| %s | %s |\n", r.name, r.times)
	}
	t.Logf("\n%s", table.String())
	checkTable(t, table.String())

	plan, turn := rows[0].times, rows[1].times
	for _, share := range []float64{0.5, 0.95} {
		better := min(turn.at(share), rows[2].times.at(share))
		if got := plan.at(share); float64(got) > 1.1*float64(better) {
			t.Errorf("at %.0f %%: %v, the better baseline %v", 100*share, got, better)
		}
	}
	if bound := Bound(simTokens, simRate*0.95, simReread); plan[len(plan)-1] > bound {
		t.Errorf("worst: %v, the bound is %v", plan[len(plan)-1], bound)
	}
	// Hints cannot bring an attack sooner than they tell it: what is held against the
	// plan without them is the way from there.
	if got, without := rows[5].times.at(0.5), measure(plain, every, toSeen).at(0.5); got*10 > without {
		t.Errorf("with a hint %v, without %v", got, without)
	}
	if got := rows[6].times[len(rows[6].times)-1]; got > simReread+simInterval {
		t.Errorf("an ended attack was shown for %v", got)
	}
}

// checkTable holds the table of docs/forensics.md to what was measured.
func checkTable(t *testing.T, table string) {
	t.Helper()
	const path, begin, end = "../../../docs/forensics.md", "<!-- begin simulation -->\n", "<!-- end simulation -->"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	if old == table {
		return
	}
	if !*update {
		t.Fatalf("%s is not current; make docs writes it anew", path)
	}
	if err := os.WriteFile(path, []byte(head+begin+table+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
