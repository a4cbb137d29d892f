package simulator

import (
	"math"
	"time"
)

// traffic derives the requests of any token in any span of time from hashes. Time is cut into
// cells, one a batch; each token has a few occurrences in some cells, each of one request or
// several of the same kind.
type traffic struct {
	seed, nameSeed uint64
	tokens         uint64
	life           int64 // seconds; 0: for ever
	cell           int64 // seconds
	begin, end     int64 // seconds
	maxLen         int
	apis           []string
	urls           []string // maxURLs for each API

	classes []class
}

// class is how busy a token is.
type class struct {
	none   float64 // the probability of no occurrence in a cell
	mean   float64 // of occurrences in a cell
	spread uint64  // an occurrence has 1 to spread requests
}

const (
	classes = 4096
	// tail is the exponent of the Pareto distribution of how busy tokens are: the busiest class is
	// some 200 times as busy as the average.
	tail = 1.2
	// crowd bounds the mean of occurrences in a cell; busier tokens have more requests in each.
	crowd = 8
	// lanes are the nodes that log requests, each with a lateness of its own.
	lanes = 8
)

func newTraffic(c Config) traffic {
	t := traffic{
		seed: mix(c.Seed, 1), nameSeed: mix(c.Seed, 2),
		tokens: uint64(c.Tokens),
		life:   int64(c.TokenLife / time.Second),
		cell:   int64(c.Batch / time.Second),
		begin:  math.MinInt64, end: math.MaxInt64,
		maxLen: c.MaxTokenLen,
		apis:   c.APIs,
	}
	if !c.Begin.IsZero() {
		t.begin = ceilSecond(c.Begin.UnixNano())
	}
	if !c.End.IsZero() {
		t.end = ceilSecond(c.End.UnixNano())
	}
	if c.Rate == 0 {
		t.tokens = 0
	}
	if t.tokens == 0 {
		return t
	}
	t.prepare(c.Rate)
	return t
}

// prepare makes the tables that only generated traffic needs.
func (t *traffic) prepare(rate float64) {
	t.classes = make([]class, classes)
	weights, sum := make([]float64, classes), 0.0
	for i := range weights {
		weights[i] = math.Pow(1-(float64(i)+0.5)/classes, -1/tail)
		sum += weights[i]
	}
	for i := range t.classes {
		lambda := rate * weights[i] / sum * classes * float64(t.cell) / 3600
		c := class{mean: lambda, spread: 1}
		if lambda > crowd {
			// Occurrences have (1+spread)/2 requests on average.
			c.spread = max(uint64(math.Round(2*lambda/crowd-1)), 1)
			c.mean = lambda / (float64(1+c.spread) / 2)
		}
		c.none = math.Exp(-c.mean)
		t.classes[i] = c
	}
	for _, api := range t.apis {
		for _, r := range resources {
			t.urls = append(t.urls, "/"+api+"/"+r)
		}
	}
}

// ceilSecond rounds up: a full second lies at or after a nanosecond exactly if it lies at or after
// the result.
func ceilSecond(nano int64) int64 { return floorDiv(nano+second-1, second) }

// lifetime returns when a token lives, in seconds without the end.
func (t *traffic) lifetime(id tokenID) (lo, hi int64) {
	if t.life == 0 {
		return t.begin, t.end
	}
	lo = int64(id.life)*t.life + t.phase(id.slot)
	return max(lo, t.begin), min(lo+t.life, t.end)
}

// phase staggers the lives, so that the population never changes all at once.
func (t *traffic) phase(slot uint32) int64 {
	return int64(below(mix(t.seed, ^uint64(slot)), uint64(t.life)))
}

// lifeAt returns which life of the slot runs at a time in seconds.
func (t *traffic) lifeAt(slot uint32, at int64) int32 {
	if t.life == 0 {
		return 0
	}
	return int32(floorDiv(at-t.phase(slot), t.life))
}

func (t *traffic) tokenSeed(id tokenID) uint64 { return mix(t.seed, id.number()) }

// tally is the requests of one token, counted by indices into its profile.
type tally struct {
	total int64
	ip    [maxIPs]ipTally
}

type ipTally struct {
	total  int64
	device [maxDevices]int64
	method [8]int64
	api    [maxAPIs]int64
	url    [maxURLs]int64
}

func (i *ipTally) add(p *profile, device, method, url uint64, n int64) {
	i.total += n
	i.device[device] += n
	i.method[method] += n
	i.url[url] += n
	i.api[p.urlAPI(url)] += n
}

// visit returns how many requests of a token a view has, and adds them to sum by their kinds unless
// that is nil.
func (t *traffic) visit(id tokenID, v *view, p *profile, sum *tally) int64 {
	seed := t.tokenSeed(id)
	c := &t.classes[seed>>52]
	begin, end := t.lifetime(id)
	var total int64
	for _, s := range v.seconds {
		lo, hi := max(s.lo, begin), min(s.hi, end)
		if lo >= hi {
			continue
		}
		for cell := floorDiv(lo, t.cell); cell*t.cell < hi; cell++ {
			visible := v.visible[cell-v.cell0]
			if visible == 0 {
				continue
			}
			h := mix(seed, uint64(cell))
			u := unit(h)
			if u < c.none {
				continue
			}
			term, cumulated := c.none, c.none
			for k := 1.0; ; k++ { // once for each occurrence, of a Poisson distribution
				r := mix(h, uint64(k))
				at := cell*t.cell + int64(below(r, uint64(t.cell)))
				if at >= lo && at < hi && visible>>(r&7)&1 != 0 {
					n := int64(1 + (r >> 3 & 0xff * c.spread >> 8))
					total += n
					if sum != nil {
						method := uint64(0)
						for m := uint8(r >> 11 & 127); m >= methodShare[method]; {
							method++
						}
						q := r * k2 >> 32
						sum.ip[below(q<<32, p.ips)].add(p, q&1&(p.devices-1), method, below(r*k1, p.url), n)
					}
				}
				term *= c.mean / k
				cumulated += term
				if u < cumulated || term < 1e-18 {
					break
				}
			}
		}
	}
	if sum != nil {
		sum.total += total
	}
	return total
}
