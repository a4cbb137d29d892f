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
	"sync"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

var update = flag.Bool("update", false, "write the tables of docs/forensics.md")

// The simulated ABS, and the default settings.
const (
	simTokens   = 100_000
	simAttacks  = 200
	simRate     = 10.0
	simInterval = 2 * time.Minute
	simReread   = 10 * time.Minute
	simLength   = 21 * time.Hour
	// simReportDelay is how long after its begin an attack is in an attack report.
	simReportDelay = 10 * time.Minute
	// simAPIs is how many APIs there are, each with an attack report of its own.
	simAPIs = 50
	// simNewTokens is how many tokens are replaced by new ones in each simReread, if attacks show
	// in traffic: without them, a new token would be an attack for sure.
	simNewTokens = 600
	// simCalls is how many calls a cycle has. The reports that feed the counters take a twentieth
	// of its time.
	simCalls = int(simRate * 0.95 * float64(simInterval/time.Second))

	idSpace = 1 << 64 // how many token ids there are
)

type attack struct {
	token      int           // its index
	begin, end time.Duration // when forensics starts and stops to report it
	api        int
	reported   time.Duration // from when on the attack report of the API names it; 0: never
	flagged    time.Duration // when that report was read for the first time after; 0: never
	found      time.Duration // when forensics was requested for the first time after begin; 0: never
	ended      time.Duration // when it was, after end; 0: never
	growth     int64         // of the token's requests while it lasts
	id         tokenid.ID    // of a token that appears with the attack; 0: it was there before
}

// seen returns when the exporter flags the token, whatever named it; 0 for never.
func (a *attack) seen() time.Duration {
	if a.found == 0 || a.flagged != 0 && a.flagged < a.found {
		return a.flagged
	}
	return a.found
}

func (a *attack) active(now time.Duration) bool { return a != nil && now >= a.begin && now < a.end }

// simulation holds tokens whose traffic wavers, and attacks by tokens of every size at any time.
type simulation struct {
	rng     *rand.Rand
	ids     []tokenid.ID
	index   map[tokenid.ID]int
	size    []int64
	attacks []*attack
	by      map[int]*attack // by token
	rising  bool
}

// newSimulation makes a simulation. If rising, attacks show in traffic: half of them come with a
// new token, and the requests of an attacking token are 4 to 32 times what they would be. If not,
// traffic says nothing, which is the hardest case.
func newSimulation(rising bool) *simulation {
	s := &simulation{rng: rand.New(rand.NewPCG(5, 5)), index: map[tokenid.ID]int{}, by: map[int]*attack{}, rising: rising}
	for i := range simTokens {
		s.ids = append(s.ids, tokenid.ID(s.rng.Uint64()))
		s.index[s.ids[i]] = i
		s.size = append(s.size, int64(20_000/(i+1)+5)) // a few are very busy
	}
	for i := range simAttacks {
		// One among each 500 tokens by size, spread evenly over time and over ids (golden ratio and
		// plastic number), so that 200 are enough to compare by. Each is longer than the bound.
		_, position := math.Modf(float64(i) * 0.7548776662466927)
		token := i * (simTokens / simAttacks)
		for j := token; j < (i+1)*(simTokens/simAttacks); j++ {
			if distance(s.ids[j], position) < distance(s.ids[token], position) {
				token = j
			}
		}
		_, part := math.Modf(float64(i) * 0.5698402909980532)
		begin := 4*time.Hour + time.Duration(part*float64(6*time.Hour))
		a := &attack{token: token, api: i / 2 % simAPIs, begin: begin, end: begin + 390*time.Minute + time.Duration(s.rng.Int64N(int64(time.Hour))), growth: 1}
		if rising {
			a.growth = 4 << (i / 2 % 4)
			if i%2 == 1 {
				a.id = tokenid.ID(position * idSpace)
			}
		}
		s.attacks = append(s.attacks, a)
		s.by[token] = a
	}
	return s
}

func distance(id tokenid.ID, position float64) float64 {
	return math.Abs(float64(id)/idSpace - position)
}

// advance replaces the tokens that are new at the begin of a cycle.
func (s *simulation) advance(now time.Duration) {
	if !s.rising {
		return
	}
	replace := func(token int, id tokenid.ID) {
		delete(s.index, s.ids[token])
		s.ids[token] = id
		s.index[id] = token
	}
	for _, a := range s.attacks {
		if a.id != 0 && now >= a.begin {
			replace(a.token, a.id)
			a.id = 0
		}
	}
	if now%simReread != 0 {
		return
	}
	for range simNewTokens {
		if i := s.rng.IntN(simTokens); s.by[i] == nil {
			replace(i, tokenid.ID(s.rng.Uint64()))
		}
	}
}

// requests returns a token's requests in the window report of a time. They waver, and in each
// report one token in a thousand jumps.
func (s *simulation) requests(token int, now time.Duration) int64 {
	h := uint64(token)*0x9e3779b97f4a7c15 + uint64(now/simReread)*0xbf58476d1ce4e5b9
	h ^= h >> 31
	h *= 0x94d049bb133111eb
	h ^= h >> 29
	n := s.size[token] * int64(80+h%41) / 100
	if h>>32%1000 == 0 {
		n *= 8
	}
	if a := s.by[token]; a.active(now) {
		n *= a.growth
	}
	return n
}

// forensics is one call. It returns whether there is a finding.
func (s *simulation) forensics(id tokenid.ID, now time.Duration) bool {
	token, ok := s.index[id]
	if !ok {
		return false
	}
	a := s.by[token]
	switch {
	case a.active(now):
		if a.found == 0 {
			a.found = now
		}
		return true
	case a != nil && a.found != 0 && a.ended == 0:
		a.ended = now
	}
	return false
}

// callTime is when the n-th call of a cycle is answered.
func callTime(cycle time.Duration, n int) time.Duration {
	return cycle + simInterval/20 + time.Duration(float64(n)/simRate*float64(time.Second))
}

// attackReports are read as the exporter reads them: that of each API within simReread, those whose
// last answer named a new token before, within a quarter of a cycle's calls.
type attackReports [simAPIs]struct {
	read  time.Duration
	first bool
}

// readDue reads the reports that are due in a cycle, and returns how many. A token that one names
// is flagged at once, and has priority with forensics.
func (r *attackReports) readDue(s *simulation, p *Planner, now time.Duration) (calls int) {
	var due []int
	for api := range r {
		if r[api].first || r[api].read == 0 || callTime(now, 0)-r[api].read >= simReread-simInterval/2 {
			due = append(due, api)
		}
	}
	slices.SortStableFunc(due, func(x, y int) int {
		if r[x].first != r[y].first {
			return map[bool]int{true: -1, false: 1}[r[x].first]
		}
		return cmp.Compare(r[x].read, r[y].read)
	})
	due = due[:min(len(due), int(simRate*simInterval.Seconds()/4))]
	for n, api := range due {
		at := callTime(now, n)
		r[api].read, r[api].first = at, false
		for _, a := range s.attacks {
			if a.api == api && a.reported != 0 && a.reported <= at && a.flagged == 0 {
				a.flagged, r[api].first = at, true
				p.AddPriority(s.ids[a.token], []byte("t"))
			}
		}
	}
	return len(due)
}

func runPlanner(s *simulation) {
	start := time.Unix(1e9, 0)
	p := New(simReread / 2)
	answered := map[tokenid.ID]time.Time{} // tokens with findings
	var reports *attackReports
	if slices.ContainsFunc(s.attacks, func(a *attack) bool { return a.reported != 0 }) {
		reports = &attackReports{}
	}
	for now := time.Duration(0); now < simLength; now += simInterval {
		s.advance(now)
		if now%simReread == 0 {
			plan := p.NewPlan(int(simRate*simReread.Seconds()), start.Add(now), func(id tokenid.ID) (time.Time, bool) {
				at, ok := answered[id]
				return at, ok
			})
			for i, id := range s.ids {
				plan.Offer(id, []byte("t"), s.requests(i, now))
			}
			plan.Commit()
		}
		calls := 0
		if reports != nil {
			calls = reports.readDue(s, p, now)
		}
		for n := calls; n < simCalls; n++ {
			c, ok := p.Next()
			if !ok {
				break
			}
			at := callTime(now, n)
			if s.forensics(c.ID, at) {
				answered[c.ID] = start.Add(at)
			} else {
				delete(answered, c.ID)
			}
			p.Answered(c, start.Add(at))
		}
	}
}

// runRoundRobin requests the tokens of each window report in the order of ids, and continues with
// the next report where it has come to.
func runRoundRobin(s *simulation) {
	var order []tokenid.ID
	next := 0
	for now := time.Duration(0); now < simLength; now += simInterval {
		s.advance(now)
		if now%simReread == 0 && (now == 0 || s.rising) {
			var cursor tokenid.ID
			if len(order) > 0 {
				cursor = order[next%simTokens]
			}
			order = slices.Sorted(slices.Values(s.ids))
			next, _ = slices.BinarySearch(order, cursor)
		}
		for n := range simCalls {
			s.forensics(order[next%simTokens], callTime(now, n))
			next++
		}
	}
}

// runBusiest requests the busiest tokens of each window report.
func runBusiest(s *simulation) {
	type token struct {
		id       tokenid.ID
		requests int64
	}
	order := make([]token, simTokens)
	next := 0
	for now := time.Duration(0); now < simLength; now += simInterval {
		s.advance(now)
		if now%simReread == 0 {
			for i, id := range s.ids {
				order[i] = token{id, s.requests(i, now)}
			}
			slices.SortFunc(order, func(a, b token) int { return cmp.Compare(b.requests, a.requests) })
			next = 0
		}
		for n := range simCalls {
			s.forensics(order[next].id, callTime(now, n))
			next++
		}
	}
}

const never = time.Duration(math.MaxInt64)

// durations is sorted.
type durations []time.Duration

func (d durations) at(share float64) time.Duration {
	return d[min(len(d)-1, int(share*float64(len(d))))]
}

func (d durations) worst() time.Duration { return d[len(d)-1] }

func (d durations) String() string {
	text := func(d time.Duration) string {
		if d == never {
			return "never"
		}
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	i, _ := slices.BinarySearch(d, never)
	return fmt.Sprintf("%s | %s | %s | %d", text(d.at(0.5)), text(d.at(0.95)), text(d.worst()), len(d)-i)
}

// measure returns how long it was, in each attack, from one time to another, which is 0 for never.
func measure(attacks []*attack, from, to func(*attack) time.Duration) durations {
	var all durations
	for _, a := range attacks {
		took := never
		if to(a) != 0 {
			took = max(0, to(a)-from(a))
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all
}

func begin(a *attack) time.Duration    { return a.begin }
func end(a *attack) time.Duration      { return a.end }
func reported(a *attack) time.Duration { return a.reported }
func found(a *attack) time.Duration    { return a.found }
func seen(a *attack) time.Duration     { return a.seen() }
func ended(a *attack) time.Duration    { return a.ended }

func filter(attacks []*attack, keep func(*attack) time.Duration) []*attack {
	return slices.DeleteFunc(slices.Clone(attacks), func(a *attack) bool { return keep(a) == 0 })
}

func TestSimulation(t *testing.T) {
	if testing.Short() {
		t.Skip("simulates days")
	}
	var running sync.WaitGroup
	start := func(run func(*simulation), rising, reports bool) *simulation {
		s := newSimulation(rising)
		for i, a := range s.attacks {
			if reports && i%2 == 0 {
				a.reported = a.begin + simReportDelay
			}
		}
		running.Go(func() { run(s) })
		return s
	}
	plan, withReports := start(runPlanner, false, false), start(runPlanner, false, true)
	robin, busiest := start(runRoundRobin, false, false), start(runBusiest, false, false)
	risingPlan, risingRobin := start(runPlanner, true, false), start(runRoundRobin, true, false)
	running.Wait()

	planFound, robinFound := measure(plan.attacks, begin, found), measure(robin.attacks, begin, found)
	busiestFound := measure(busiest.attacks, begin, found)
	named := filter(withReports.attacks, reported)
	fromReport := measure(named, reported, seen)
	planEnded := measure(filter(plan.attacks, found), end, ended)
	risingPlanFound, risingRobinFound := measure(risingPlan.attacks, begin, found), measure(risingRobin.attacks, begin, found)

	var doc strings.Builder
	table := func(title string, rows ...any) {
		fmt.Fprintf(&doc, "| %s | median | p95 | worst | never |\n|---|---|---|---|---|\n", title)
		for i := 0; i < len(rows); i += 2 {
			fmt.Fprintf(&doc, "| %s | %s |\n", rows[i], rows[i+1])
		}
	}
	table("attacks do not show in traffic",
		"found: the plan, no attack reports", planFound,
		"found: round robin alone", robinFound,
		"found: the busiest first", busiestFound,
		"seen: the plan, attack reports name half of the attacks", measure(withReports.attacks, begin, seen),
		"of these, the attacks that a report names", measure(named, begin, seen),
		"from when the report knows until seen, 50 APIs", fromReport,
		"end noticed: the plan", planEnded,
		"end noticed: round robin alone", measure(filter(robin.attacks, found), end, ended),
		"end noticed: the busiest first", measure(filter(busiest.attacks, found), end, ended))
	doc.WriteString("\n")
	table("attacks show in traffic", "found: the plan, no attack reports", risingPlanFound, "found: round robin alone", risingRobinFound)
	t.Logf("\n%s", doc.String())
	checkDoc(t, doc.String())

	for _, share := range []float64{0.5, 0.95} {
		better := min(robinFound.at(share), busiestFound.at(share))
		if got := planFound.at(share); float64(got) > 1.1*float64(better) {
			t.Errorf("quantile %v: the plan takes %v, the better of the others %v", share, got, better)
		}
		if got, robin := risingPlanFound.at(share), risingRobinFound.at(share); float64(got) > 1.1*float64(robin) {
			t.Errorf("quantile %v, attacks in traffic: the plan takes %v, round robin %v", share, got, robin)
		}
	}
	if got := bound(simTokens, simRate*0.95, simReread); planFound.worst() > got || risingPlanFound.worst() > got {
		t.Errorf("worst: %v and %v, the bound is %v", planFound.worst(), risingPlanFound.worst(), got)
	}
	if got, robin := risingPlanFound.at(0.5), risingRobinFound.at(0.5); got*4 > robin {
		t.Errorf("attacks in traffic: the plan takes %v, round robin %v", got, robin)
	}
	if got, without := fromReport.at(0.5), planFound.at(0.5); got*10 > without {
		t.Errorf("with a report %v, without %v", got, without)
	}
	if got := fromReport.at(0.95); got >= simReread {
		t.Errorf("p95 from when a report knows until seen is %v, want less than %v", got, simReread)
	}
	if got := planEnded.worst(); got > simReread+simInterval {
		t.Errorf("the end of an attack was noticed after %v", got)
	}
}

// bound is the formula of docs/forensics.md: how long until every token of the window is requested,
// at a rate of calls that are made, in plans that are made every interval. Half of the calls are
// round robin's at least.
func bound(tokens int64, rate float64, interval time.Duration) time.Duration {
	seconds := float64(tokens) / (rate / 2)
	return time.Duration(math.Ceil(seconds))*time.Second + 2*interval
}

// checkDoc compares the tables in docs/forensics.md with what was measured, or writes them with
// -update.
func checkDoc(t *testing.T, tables string) {
	t.Helper()
	const path, begin, end = "../../../docs/forensics.md", "<!-- begin simulation -->\n", "<!-- end simulation -->"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the comments that enclose the tables", path)
	}
	if old == tables {
		return
	}
	if !*update {
		t.Fatalf("%s is not current; write it with make docs", path)
	}
	if err := os.WriteFile(path, []byte(head+begin+tables+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
