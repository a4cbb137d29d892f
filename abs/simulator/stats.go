package simulator

import (
	"maps"
	"sync"
	"time"
)

// Stats is what was requested of the simulated ABS.
type Stats struct {
	Calls       map[string]int64  `json:"calls"`         // per report; what is none of them under "other"
	Statuses    map[int]int64     `json:"statuses"`      // responses, by status; 0: there was none
	MaxInFlight int               `json:"max_in_flight"` // how many calls there were at once, at most
	Log         map[string][]Call `json:"log"`           // the last calls per report, oldest first
}

// Call is a call to the simulated ABS.
type Call struct {
	Time       time.Time     `json:"time"`         // when it arrived, by the network's clock
	At         time.Time     `json:"at"`           // the same by Config.Now
	Took       time.Duration `json:"took"`         // until the last byte was handed over; 0: under way
	Method     string        `json:"method"`       //
	Earlier    string        `json:"earlier_date"` // as sent
	Later      string        `json:"later_date"`   //
	Token      string        `json:"token,omitempty"`
	Restricted bool          `json:"restricted,omitempty"`
	Status     int           `json:"status"`
}

type stats struct {
	mu       sync.Mutex
	calls    map[string]int64
	statuses map[int]int64
	inFlight int
	most     int
	keep     int
	log      map[string][]*Call
}

func newStats(keep int) stats {
	return stats{calls: map[string]int64{}, statuses: map[int]int64{}, log: map[string][]*Call{}, keep: keep}
}

func (s *stats) begin(report string, c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[report]++
	s.inFlight++
	s.most = max(s.most, s.inFlight)
	s.log[report] = append(s.log[report], c)
	if log := s.log[report]; len(log) > s.keep {
		s.log[report] = log[1:]
	}
}

func (s *stats) end(c *Call, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.statuses[status]++
	c.Status = status
	c.Took = max(time.Since(c.Time), 1)
}

// Stats returns what was requested of the simulated ABS since it was made or since ResetStats.
func (s *Simulator) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	out := Stats{
		Calls: maps.Clone(s.stats.calls), Statuses: maps.Clone(s.stats.statuses),
		MaxInFlight: s.stats.most, Log: map[string][]Call{},
	}
	for report, log := range s.stats.log {
		for _, c := range log {
			out.Log[report] = append(out.Log[report], *c)
		}
	}
	return out
}

// ResetStats begins counting anew.
func (s *Simulator) ResetStats() {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.calls, s.stats.statuses, s.stats.log = map[string]int64{}, map[int]int64{}, map[string][]*Call{}
	s.stats.most = s.stats.inFlight
}
