package simulator

import (
	"slices"
	"sync"
	"time"
)

// Stats is what the simulated ABS was asked for.
type Stats struct {
	Calls       map[string]int64  `json:"calls"`         // per report; what is none of them under "other"
	Statuses    map[int]int64     `json:"statuses"`      // answers, by status; 0: none was given
	MaxInFlight int               `json:"max_in_flight"` // how many calls there were at once, at most
	Log         map[string][]Call `json:"log"`           // the last calls per report, oldest first
}

// Call is a call to the simulated ABS.
type Call struct {
	Time       time.Time     `json:"time"`         // when it came, by the network's clock
	At         time.Time     `json:"at"`           // the same by Config.Now
	Took       time.Duration `json:"took"`         // until the last byte was handed over; 0: under way
	Method     string        `json:"method"`       //
	Earlier    string        `json:"earlier_date"` // as sent
	Later      string        `json:"later_date"`   //
	Token      string        `json:"token,omitempty"`
	Restricted bool          `json:"restricted,omitempty"`
	Status     int           `json:"status"`

	report string
}

type stats struct {
	mu       sync.Mutex
	calls    map[string]int64
	statuses map[int]int64
	inFlight int
	most     int
	keep     int
	log      map[string]*ring
}

// ring holds the last calls.
type ring struct {
	calls []*Call
	next  int
}

func newStats(keep int) stats {
	return stats{calls: map[string]int64{}, statuses: map[int]int64{}, log: map[string]*ring{}, keep: keep}
}

func (s *stats) begin(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[c.report]++
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	r := s.log[c.report]
	if r == nil {
		r = &ring{}
		s.log[c.report] = r
	}
	if len(r.calls) < s.keep {
		r.calls = append(r.calls, c)
		return
	}
	r.calls[r.next] = c
	r.next = (r.next + 1) % s.keep
}

func (s *stats) end(c *Call, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.statuses[status]++
	c.Status = status
	c.Took = max(time.Since(c.Time), 1)
}

// Stats is what the simulated ABS was asked for since it was made or since ResetStats.
func (s *Simulator) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	out := Stats{
		Calls: map[string]int64{}, Statuses: map[int]int64{},
		MaxInFlight: s.stats.most, Log: map[string][]Call{},
	}
	for k, v := range s.stats.calls {
		out.Calls[k] = v
	}
	for k, v := range s.stats.statuses {
		out.Statuses[k] = v
	}
	for k, r := range s.stats.log {
		calls := make([]Call, 0, len(r.calls))
		for _, c := range slices.Concat(r.calls[r.next:], r.calls[:r.next]) {
			calls = append(calls, *c)
		}
		out.Log[k] = calls
	}
	return out
}

// ResetStats begins counting anew.
func (s *Simulator) ResetStats() {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.calls, s.stats.statuses, s.stats.log = map[string]int64{}, map[int]int64{}, map[string]*ring{}
	s.stats.most = s.stats.inFlight
}
