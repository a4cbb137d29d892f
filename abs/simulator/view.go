package simulator

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// view is what ABS knows of a window at one time: everything that a report about it
// needs, taken in one moment, so that a report is whole however long its writing takes.
type view struct {
	spans   []span // in nanoseconds
	seconds []span // the same for generated requests, which happen at whole seconds
	at      int64  // nanoseconds
	cell0   int64
	told    []uint8 // for each cell from cell0 on, the lanes that are told by now

	mixed  map[tokenID]*bundle // what Add brought in for tokens that have generated requests too
	others []*bundle           // and for all others
}

// ever is a time at which nothing is late any more.
const ever = math.MaxInt64

// view looks at some stretches of time from a moment in time.
func (s *Simulator) view(spans []span, at int64) *view {
	v := &view{spans: spans, at: at}
	if len(spans) == 0 {
		return v
	}
	t := &s.traffic
	if t.tokens > 0 {
		v.window(s, spans)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gather(v)
	return v
}

func (v *view) window(s *Simulator, spans []span) {
	t := &s.traffic
	for _, sp := range spans {
		lo, hi := max(ceilSecond(sp.lo), t.begin), min(ceilSecond(sp.hi), t.end)
		if v.at != ever {
			hi = min(hi, floorDiv(v.at, second)+1)
		}
		if lo < hi {
			v.seconds = append(v.seconds, span{lo, hi})
		}
	}
	if len(v.seconds) == 0 {
		return
	}
	v.cell0 = floorDiv(v.seconds[0].lo, t.cell)
	last := floorDiv(v.seconds[len(v.seconds)-1].hi-1, t.cell)
	v.told = make([]uint8, last-v.cell0+1)
	for i := range v.told {
		v.told[i] = s.toldLanes(v.cell0+int64(i), v.at)
	}
}

// toldLanes is the set of lanes whose part of a batch is told at a time.
func (s *Simulator) toldLanes(cell, at int64) uint8 {
	if at == ever || s.cfg.Immediate {
		return 0xff
	}
	end := (cell + 1) * s.traffic.cell * second
	if end+int64(s.cfg.DelayMax) <= at {
		return 0xff
	}
	var lanesTold uint8
	for lane := range uint64(lanes) {
		if end+s.delay(cell, lane) <= at {
			lanesTold |= 1 << lane
		}
	}
	return lanesTold
}

// delay is how long after a batch's end its part of one lane is told, in nanoseconds.
func (s *Simulator) delay(cell int64, lane uint64) int64 {
	h := mix(mix(s.traffic.seed, k1^uint64(cell)), lane)
	usual, most := uint64(s.cfg.Delay), uint64(s.cfg.DelayMax)
	if h&0xff < 256/12 {
		return int64(usual + below(mix(h, 1), most-usual+1))
	}
	return int64(usual - below(mix(h, 2), usual/2+1))
}

// each calls row for each token that has requests in the view, in an order that is
// shuffled by the salt. A nil sum passed on means that all is in b; a nil b, that all
// is in sum. With count, sum and b are nil and only the numbers are told.
func (t *traffic) each(ctx context.Context, v *view, salt uint64, count bool, row func(token) error) error {
	bundles := v.others
	next := 0
	if t.tokens > 0 && len(v.seconds) > 0 {
		step, slot := shuffle(t.tokens, salt)
		var (
			p   profile
			sum tally
		)
		first, last := v.seconds[0].lo, v.seconds[len(v.seconds)-1].hi-1
		for i := range t.tokens {
			if i&0xfff == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			for next < len(bundles) && uint64(next)*t.tokens < i*uint64(len(bundles)) {
				if err := row(token{total: bundles[next].total, bundle: bundles[next]}); err != nil {
					return err
				}
				next++
			}
			s := uint32(slot)
			if slot += step; slot >= t.tokens {
				slot -= t.tokens
			}
			for life := t.lifeAt(s, first); life <= t.lifeAt(s, last); life++ {
				id := tokenID{s, life}
				tok := token{id: id, bundle: v.mixed[id]}
				if count {
					tok.total = t.visit(id, v, nil, nil)
				} else {
					if sum.total > 0 {
						sum = tally{}
					}
					p = t.profile(t.tokenSeed(id))
					tok.total = t.visit(id, v, &p, &sum)
					tok.profile, tok.sum = &p, &sum
				}
				if tok.bundle != nil {
					tok.total += tok.bundle.total
				}
				if tok.total == 0 {
					continue
				}
				if err := row(tok); err != nil {
					return err
				}
			}
		}
	}
	for ; next < len(bundles); next++ {
		if err := row(token{total: bundles[next].total, bundle: bundles[next]}); err != nil {
			return err
		}
	}
	return nil
}

// token is one token of a view, until each goes on.
type token struct {
	id      tokenID
	total   int64
	profile *profile // nil: only the bundle
	sum     *tally
	bundle  *bundle // nil: only the sum
}

// shuffle is an order of the numbers below n that needs no memory: from start in
// steps, modulo n.
func shuffle(n, salt uint64) (step, start uint64) {
	start = below(mix(salt, 1), n)
	step = below(mix(salt, 2), n)
	for gcd(step, n) != 1 {
		if step++; step > n {
			step = 1
		}
	}
	return step % n, start
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// bundle is what Add brought in for one token, added up.
type bundle struct {
	token string
	total int64
	ips   []ipBundle
}

type ipBundle struct {
	ip                          string
	total                       int64
	devices, methods, urls, api []pair
}

type pair struct {
	key string
	n   int64
}

func (b *bundle) ip(ip string) *ipBundle {
	for i := range b.ips {
		if b.ips[i].ip == ip {
			return &b.ips[i]
		}
	}
	b.ips = append(b.ips, ipBundle{ip: ip})
	return &b.ips[len(b.ips)-1]
}

func (b *bundle) add(e *Event) {
	b.total += e.N
	i := b.ip(e.IP)
	i.total += e.N
	i.devices = addPair(i.devices, e.Device, e.N)
	i.methods = addPair(i.methods, e.Method, e.N)
	i.urls = addPair(i.urls, e.URL, e.N)
	i.api = addPair(i.api, e.API, e.N)
}

func addPair(pairs []pair, key string, n int64) []pair {
	for i := range pairs {
		if pairs[i].key == key {
			pairs[i].n += n
			return pairs
		}
	}
	return append(pairs, pair{key, n})
}

// join makes one bundle of a token's generated requests and those of Add.
func (t *traffic) join(tok token) *bundle {
	if tok.sum == nil {
		return tok.bundle
	}
	out := &bundle{token: string(t.appendToken(nil, tok.id))}
	p := tok.profile
	for j := range p.ips {
		i := &tok.sum.ip[j]
		if i.total == 0 {
			continue
		}
		to := out.ip(string(p.appendIP(nil, j)))
		to.total += i.total
		for d, n := range i.device {
			to.devices = addSome(to.devices, devices[p.device[d]], n)
		}
		for m, n := range i.method[:len(methods)] {
			to.methods = addSome(to.methods, methods[m], n)
		}
		for a, n := range i.api[:p.apis] {
			to.api = addSome(to.api, t.apis[p.api[a]], n)
		}
		for u, n := range i.url {
			to.urls = addSome(to.urls, t.urls[p.urlIndex(uint64(u))], n)
		}
		out.total += i.total
	}
	if tok.bundle == nil {
		return out
	}
	for _, i := range tok.bundle.ips {
		to := out.ip(i.ip)
		to.total += i.total
		to.devices = addAll(to.devices, i.devices)
		to.methods = addAll(to.methods, i.methods)
		to.urls = addAll(to.urls, i.urls)
		to.api = addAll(to.api, i.api)
	}
	out.total += tok.bundle.total
	return out
}

func addSome(pairs []pair, key string, n int64) []pair {
	if n == 0 {
		return pairs
	}
	return addPair(pairs, key, n)
}

func addAll(pairs, more []pair) []pair {
	for _, p := range more {
		pairs = addPair(pairs, p.key, p.n)
	}
	return pairs
}

// Event is requests of one kind that a test makes, beside the generated ones.
type Event struct {
	At time.Time // when they were made

	// ABS tells them in [VisibleFrom, VisibleUntil). Zero: from At on; for ever. An end
	// lets a test take requests back, or with another event move them to another token.
	VisibleFrom, VisibleUntil time.Time

	Token, IP, Device, Method, URL, API string // empty: 127.0.0.1, UNKNOWN, GET, the API's root, the first API
	N                                   int64  // how many; less than 1: 1
}

type event struct {
	Event
	at, from, until int64
	id              tokenID
	generated       bool // the token is one that the simulator makes traffic for
}

// Add makes requests.
func (s *Simulator) Add(events ...Event) {
	added := make([]event, len(events))
	for i, e := range events {
		for _, d := range []struct {
			field    *string
			standard string
		}{{&e.IP, "127.0.0.1"}, {&e.Device, "UNKNOWN"}, {&e.Method, "GET"}, {&e.API, s.cfg.APIs[0]}} {
			if *d.field == "" {
				*d.field = d.standard
			}
		}
		if e.URL == "" {
			e.URL = "/" + e.API
		}
		e.N = max(e.N, 1)
		in := event{Event: e, at: e.At.UnixNano(), from: math.MinInt64, until: ever}
		in.from = in.at
		if !e.VisibleFrom.IsZero() {
			in.from = e.VisibleFrom.UnixNano()
		}
		if !e.VisibleUntil.IsZero() {
			in.until = e.VisibleUntil.UnixNano()
		}
		in.id, in.generated = s.traffic.find(e.Token)
		added[i] = in
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, added...)
	s.sorted = false
}

// told is whether ABS tells the requests at a time. At the end of time it tells those
// that are never taken back.
func (e *event) told(at int64) bool {
	if at == ever {
		return e.until == ever
	}
	return e.from <= at && at < e.until
}

// gather collects into the view what Add brought in. The caller holds the lock.
func (s *Simulator) gather(v *view) {
	if len(s.events) == 0 {
		return
	}
	if !s.sorted {
		slices.SortStableFunc(s.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
		s.sorted = true
	}
	named := map[string]*bundle{}
	for _, sp := range v.spans {
		i, _ := slices.BinarySearchFunc(s.events, sp.lo, func(e event, lo int64) int { return cmp.Compare(e.at, lo) })
		for ; i < len(s.events) && s.events[i].at < sp.hi; i++ {
			e := &s.events[i]
			if !e.told(v.at) {
				continue
			}
			b := named[e.Token]
			if b == nil {
				b = &bundle{token: e.Token}
				named[e.Token] = b
				if e.generated && v.visits(&s.traffic, e.id) {
					if v.mixed == nil {
						v.mixed = map[tokenID]*bundle{}
					}
					v.mixed[e.id] = b
				} else {
					v.others = append(v.others, b)
				}
			}
			b.add(&e.Event)
		}
	}
	slices.SortFunc(v.others, func(a, b *bundle) int {
		return cmp.Or(cmp.Compare(mixString(s.cfg.Seed, a.token), mixString(s.cfg.Seed, b.token)),
			cmp.Compare(a.token, b.token))
	})
}

// visits is whether each comes by a generated token.
func (v *view) visits(t *traffic, id tokenID) bool {
	if len(v.seconds) == 0 {
		return false
	}
	return t.lifeAt(id.slot, v.seconds[0].lo) <= id.life &&
		id.life <= t.lifeAt(id.slot, v.seconds[len(v.seconds)-1].hi-1)
}
