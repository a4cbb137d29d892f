package simulator

import (
	"cmp"
	"time"
)

// Event is requests of one kind that a test makes, beside the generated ones.
type Event struct {
	At time.Time // when they were made

	// ABS reports them in [VisibleFrom, VisibleUntil). Zero: from At on; for ever. An end lets a
	// test withdraw requests, or with another event move them to another token.
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		e.IP = cmp.Or(e.IP, "127.0.0.1")
		e.Device = cmp.Or(e.Device, "UNKNOWN")
		e.Method = cmp.Or(e.Method, "GET")
		e.API = cmp.Or(e.API, s.cfg.APIs[0])
		e.URL = cmp.Or(e.URL, "/"+e.API)
		e.N = max(e.N, 1)
		added := event{Event: e, at: e.At.UnixNano(), from: e.At.UnixNano(), until: ever}
		if !e.VisibleFrom.IsZero() {
			added.from = e.VisibleFrom.UnixNano()
		}
		if !e.VisibleUntil.IsZero() {
			added.until = e.VisibleUntil.UnixNano()
		}
		added.id, added.generated = s.traffic.find(e.Token)
		s.events = append(s.events, added)
	}
	s.sorted = false
}

// visible returns whether ABS reports the requests at a time. At the end of time it reports those
// that are never withdrawn.
func (e *event) visible(at int64) bool {
	if at == ever {
		return e.until == ever
	}
	return e.from <= at && at < e.until
}
