package otlp

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// encoder turns snapshots and the exporter's health into requests. It remembers what it told, so that an attribute set is
// encoded once and a series that is gone is ended. It belongs to one goroutine.
type encoder struct {
	writer
	health   prometheus.Gatherer
	targets  map[string]*target
	families map[string]*family // of the health, by name
	turn     uint32
	scratch  []byte
	points   []byte
	last     time.Time // of a push
	shrunk   time.Time // when the limit was halved last
	unsure   bool      // the receiver refused something of this push: endings may be among it
	ends     []int
}

// target is what the receiver was told of one.
type target struct {
	families map[*metrics.Family]*family
	order    []*family
	pushed   *metrics.Snapshot
	at       time.Time // of its last push, by the machine's own clock: points may bear another time
	turn     uint32
}

// forgotten is how long an ending is told again while the receiver does not answer: after that it has forgotten the
// series by itself.
const forgotten = 10 * time.Minute

// growAfter is how long requests stay small after the receiver refused larger ones.
const growAfter = 6 * time.Hour

func newEncoder(resource, scope []byte, limit int, health prometheus.Gatherer) *encoder {
	return &encoder{
		writer:   writer{limit: limit, resource: resource, scope: scope, pool: &buffers{}},
		health:   health,
		targets:  map[string]*target{},
		families: map[string]*family{},
	}
}

// push hands the requests to emit that tell of the snapshots that are due, of the health, and of what has ended; all
// their points bear the time now; begun is when the push began. Targets that are not among the snapshots have ended. A
// push that failed on the way is to be made anew, with every snapshot due.
func (e *encoder) push(snapshots map[string]*metrics.Snapshot, due func(*target, *metrics.Snapshot) bool, now, begun time.Time, emit func(*buffer, int) error) (err error) {
	e.emit, e.unsure = emit, false
	e.turn++
	defer func() {
		e.drop()
		e.settle(err == nil, err == nil && !e.unsure, now)
	}()
	var touched []*family
	for _, name := range slices.Sorted(maps.Keys(snapshots)) {
		t, s := e.target(name), snapshots[name]
		if !due(t, s) {
			continue
		}
		families, err := e.snapshot(t, s, now)
		touched = append(touched, families...)
		if err != nil {
			return err
		}
		t.pushed, t.at = s, begun
	}
	for name, t := range e.targets {
		if snapshots[name] == nil {
			families, _ := e.snapshot(t, &metrics.Snapshot{}, now) // nothing is written of nothing
			touched = append(touched, families...)
			t.pushed, t.at = nil, begun
		}
	}
	families, err := e.healthFamilies(now)
	if err != nil {
		return err
	}
	for _, f := range append(touched, families...) {
		f.telling = true
		if err := e.endings(f, nanoseconds(now)); err != nil {
			return err
		}
	}
	return e.finish()
}

func (e *encoder) target(name string) *target {
	t := e.targets[name]
	if t == nil {
		t = &target{families: map[*metrics.Family]*family{}}
		e.targets[name] = t
	}
	return t
}

// snapshot writes what lives, and gives all families of the target.
func (e *encoder) snapshot(t *target, s *metrics.Snapshot, now time.Time) ([]*family, error) {
	t.turn++
	for _, f := range t.order {
		f.begin(t.turn)
	}
	var failed error
	for i := range s.Blocks {
		block := &s.Blocks[i]
		f := t.families[block.Family]
		if f == nil {
			k := kindGauge
			if block.Family.Type == metrics.Counter {
				k = kindSum
			}
			f = newFamily(k, block.Family.Name, block.Family.Help, block.Family.Unit)
			t.families[block.Family] = f
			t.order = append(t.order, f)
			f.begin(t.turn)
		}
		var streams []*stream
		streams, e.scratch = f.see(block.Samples, e.scratch)
		if failed == nil { // what the books say of the streams must be whole even then
			failed = e.samples(f, streams, block.Samples, nanoseconds(now))
		}
	}
	for _, f := range t.order {
		f.end(now)
	}
	return t.order, failed
}

// healthFamilies writes the exporter's own metrics. What cannot be gathered is left out: the requests that the snapshots
// tell of are worth more.
func (e *encoder) healthFamilies(now time.Time) ([]*family, error) {
	gathered, _ := e.health.Gather() // /metrics tells of the error
	touched := make([]*family, 0, len(e.families))
	var failed error
	for _, m := range gathered {
		k, ok := healthKind(m.GetType())
		if !ok {
			continue
		}
		f := e.families[m.GetName()]
		if f == nil {
			unit, whole := healthUnit(m)
			f = newFamily(k, m.GetName(), m.GetHelp(), unit)
			f.whole = whole
			e.families[m.GetName()] = f
		}
		f.begin(e.turn)
		e.points, e.ends = f.healthPoints(m, nanoseconds(now), e.points[:0], e.ends[:0])
		if failed == nil {
			failed = e.blob(f, e.points, e.ends)
		}
	}
	for _, f := range e.families {
		if f.turn != e.turn { // all of it is gone
			f.begin(e.turn)
		}
		f.end(now)
		touched = append(touched, f)
	}
	return touched, failed
}

// healthUnit is the unit of a family of the health, and whether its values are whole: by the family and not by the value,
// so that points never change from integers to floats.
func healthUnit(m *dto.MetricFamily) (unit string, whole bool) {
	for _, f := range metrics.Table() {
		if f.Name == m.GetName() {
			return f.Unit, f.Type == metrics.Counter && f.Unit != "seconds"
		}
	}
	return m.GetUnit(), false
}

// settle forgets the endings that were told, and targets of which nothing is left. sent: the push went to its end; told:
// the receiver took all of it.
func (e *encoder) settle(sent, told bool, now time.Time) {
	before := now.Add(-forgotten)
	for name, t := range e.targets {
		left := 0
		for _, f := range t.order {
			f.told(told, before)
			left += len(f.streams) + len(f.ended)
		}
		if left == 0 && t.pushed == nil {
			delete(e.targets, name)
		}
		if !sent {
			t.pushed, t.at = nil, time.Time{}
		}
	}
	for _, f := range e.families {
		f.told(told, before)
	}
}

// wait is how long from now until a target is due again, at most the interval.
func (e *encoder) wait(interval time.Duration, now time.Time) time.Duration {
	next := interval
	for _, t := range e.targets {
		next = min(next, interval-now.Sub(t.at))
	}
	return max(0, next)
}

// stamp makes the time of a push later than that of the last one, to the millisecond, which is Prometheus' resolution: of
// two points at one time it would refuse the second.
func (e *encoder) stamp(now time.Time) time.Time {
	now = now.Truncate(time.Millisecond)
	if !now.After(e.last) {
		now = e.last.Add(time.Millisecond)
	}
	e.last = now
	return now
}

// shrink halves the limit of requests, for a receiver that takes less, and tells whether it could.
func (e *encoder) shrink() bool {
	if e.limit/2 < smallestRequest {
		return false
	}
	e.limit /= 2
	e.shrunk = e.last
	return true
}

// grow goes back to the full size a while after: the receiver may be another one by then.
func (e *encoder) grow(now time.Time) {
	if e.limit < largestRequest && now.Sub(e.shrunk) >= growAfter {
		e.limit = largestRequest
	}
}
