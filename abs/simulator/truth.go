package simulator

import (
	"context"
	"time"
)

// Totals is the sums of requests.
type Totals struct {
	Requests int64                   `json:"requests"`
	ByToken  map[string]*TokenTotals `json:"by_token"`
	ByMethod map[string]int64        `json:"by_method"`
	ByAPI    map[string]int64        `json:"by_api"`
	ByDevice map[string]int64        `json:"by_device"`
}

// TokenTotals is the sums of one token's requests.
type TokenTotals struct {
	Requests int64            `json:"requests"`
	ByMethod map[string]int64 `json:"by_method"`
	ByAPI    map[string]int64 `json:"by_api"`
	ByDevice map[string]int64 `json:"by_device"`
	ByIP     map[string]int64 `json:"by_ip"`
}

// Truth returns what was requested in [from, to), in real time: what ABS reports once nothing is
// late any more. Requests that are withdrawn at some time are not in it; those that are still to
// arrive are.
func (s *Simulator) Truth(from, to time.Time) Totals { return s.totals(from, to, ever) }

// TruthVisible returns what ABS knows at a time of the requests in [from, to): what it reports
// unless it is down or a node that is behind answers.
func (s *Simulator) TruthVisible(from, to, at time.Time) Totals {
	return s.totals(from, to, s.knownBy(at.UnixNano()))
}

// TruthRequests returns Truth's number of requests, at a fraction of the cost.
func (s *Simulator) TruthRequests(from, to time.Time) int64 {
	var n int64
	// Neither the context nor the row ends it.
	_ = s.traffic.each(context.Background(), s.view(between(from, to), ever), 0, true, func(c *tokenCounts) error {
		n += c.total
		return nil
	})
	return n
}

func between(from, to time.Time) []span {
	if !from.Before(to) {
		return nil
	}
	return []span{{from.UnixNano(), to.UnixNano()}}
}

func (s *Simulator) totals(from, to time.Time, at int64) Totals {
	out := Totals{
		ByToken:  map[string]*TokenTotals{},
		ByMethod: map[string]int64{}, ByAPI: map[string]int64{}, ByDevice: map[string]int64{},
	}
	// Neither the context nor the row ends it.
	_ = s.traffic.each(context.Background(), s.view(between(from, to), at), 0, false, func(c *tokenCounts) error {
		out.add(c)
		return nil
	})
	return out
}

func (o *Totals) add(c *tokenCounts) {
	t := o.ByToken[string(c.token)]
	if t == nil {
		t = &TokenTotals{
			ByMethod: map[string]int64{}, ByAPI: map[string]int64{},
			ByDevice: map[string]int64{}, ByIP: map[string]int64{},
		}
		o.ByToken[string(c.token)] = t
	}
	o.Requests += c.total
	t.Requests += c.total
	for i := range c.addresses {
		a := &c.addresses[i]
		t.ByIP[string(a.ip)] += a.total
		a.methods.addTo(o.ByMethod, t.ByMethod)
		a.apis.addTo(o.ByAPI, t.ByAPI)
		a.devices.addTo(o.ByDevice, t.ByDevice)
	}
}

func (c counts) addTo(sums ...map[string]int64) {
	for _, e := range c {
		for _, sum := range sums {
			sum[e.value] += e.n
		}
	}
}
