package metrics

import "time"

// MaxCount is the highest number of a counter: a float64, and so Prometheus, holds all up to it
// exactly.
const MaxCount = 1 << 53

// Count is the value of one counter series that ZeroInit exposes. The zero value is a counter at 0
// that was never exposed. It is small, because a process may hold millions.
type Count struct {
	Value int64
	// first is the first exposition, at 0, in Unix nanoseconds; its last bit says that the value
	// was exposed since. 0: never exposed.
	first  int64
	series *Series
}

// valueExposed is the bit of Count.first.
const valueExposed = 1

// RestoredCount returns a count as FirstExposed described it to the state.
func RestoredCount(value, firstExposed int64) Count {
	c := Count{Value: value}
	if firstExposed != 0 {
		c.first = firstExposed | valueExposed
	}
	return c
}

// FirstExposed returns what a state is to keep of the first exposition: Unix nanoseconds, or 0
// while only the 0 was exposed. The process may end before anybody has scraped that 0, so that the
// next one has to expose it for the whole time again.
func (c *Count) FirstExposed() int64 {
	if c.first&valueExposed == 0 {
		return 0
	}
	return c.first &^ valueExposed
}

// Restarted returns the count for a series with other labels, which begins at 0: it has what the
// series so far did not show. shown has the values that are exposed; nil: the count was restored
// from a state, and is exposed if FirstExposed says so.
func (c *Count) Restarted(shown map[*Series]int64) Count {
	if c.FirstExposed() == 0 {
		return Count{Value: c.Value}
	}
	if shown == nil {
		return Count{}
	}
	return Count{Value: max(0, c.Value-shown[c.series])}
}

// Shown returns the values of the counters in blocks, by their series, as Restarted takes them.
func Shown(blocks []Block) map[*Series]int64 {
	shown := map[*Series]int64{}
	for _, b := range blocks {
		for _, s := range b.Samples {
			shown[s.Series] = s.Value
		}
	}
	return shown
}

// HasSeries reports whether Init has nothing to do for a count, as nearly always.
func (c *Count) HasSeries() bool { return c.series != nil && c.first != 0 }

// ZeroInit exposes each new counter series as 0 for a while before its first value, so that a
// Prometheus without any feature flag sees the first increase. The created timestamp of a series is
// its first exposition. For every commit: Stage; for each count Init, Make, Sample; and once the
// snapshot is published, Published for each count. Without Published, the first exposition of new
// series is that of a later commit.
type ZeroInit struct {
	// ZeroFor is how long a new series is exposed as 0.
	ZeroFor time.Duration

	now, asOf int64
	pending   bool
	batch     Batch
	counts    []*Count // whose series are in the batch
}

// Stage begins the snapshot that is published as of now. Values appear once their series were
// exposed for ZeroFor at asOf, which is not after now: commits with the same asOf make the same
// values appear.
func (z *ZeroInit) Stage(now, asOf time.Time) {
	z.now, z.asOf, z.pending = now.UnixNano()&^valueExposed, asOf.UnixNano(), false
}

// Init adds the series of a count to those that Make makes, unless the count has it already. The
// count must stay where it is until then.
func (z *ZeroInit) Init(c *Count, f *Family, values ...string) {
	if c.HasSeries() {
		return
	}
	created := c.first &^ valueExposed
	if created == 0 {
		created, z.pending = z.now, true
	}
	z.batch.Add(f, time.Unix(0, created), values...)
	z.counts = append(z.counts, c)
}

// Make makes the series that were added since the last Make. They share memory: add those together
// that end together.
func (z *ZeroInit) Make() {
	made := z.batch.Make()
	for i, c := range z.counts {
		c.series = &made[i]
	}
	clear(z.counts)
	z.counts = z.counts[:0]
}

// Sample returns what a count with a series shows in the snapshot.
func (z *ZeroInit) Sample(c *Count) Sample {
	if c.first != 0 && z.asOf-c.first&^valueExposed >= int64(z.ZeroFor) {
		c.first |= valueExposed
	}
	s := Sample{Series: c.series}
	if c.first&valueExposed != 0 {
		s.Value = c.Value
	}
	return s
}

// Pending reports whether the snapshot exposes any series for the first time, so that Published has
// something to do.
func (z *ZeroInit) Pending() bool { return z.pending }

// Published records that the snapshot with a count's series is exposed.
func (z *ZeroInit) Published(c *Count) {
	if c.first == 0 && c.series != nil {
		c.first = z.now
	}
}
