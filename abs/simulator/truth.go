package simulator

import (
	"context"
	"time"
)

// Totals is what requests come to.
type Totals struct {
	Requests int64                   `json:"requests"`
	ByToken  map[string]*TokenTotals `json:"by_token"`
	ByMethod map[string]int64        `json:"by_method"`
	ByAPI    map[string]int64        `json:"by_api"`
	ByDevice map[string]int64        `json:"by_device"`
}

// TokenTotals is what the requests of one token come to.
type TokenTotals struct {
	Requests int64            `json:"requests"`
	ByMethod map[string]int64 `json:"by_method"`
	ByAPI    map[string]int64 `json:"by_api"`
	ByDevice map[string]int64 `json:"by_device"`
	ByIP     map[string]int64 `json:"by_ip"`
}

// Truth is what was requested in [from, to), in real time: what ABS tells once nothing
// is late any more. Requests that are taken back at some time are not in it; those that
// are still to come are.
func (s *Simulator) Truth(from, to time.Time) Totals { return s.totals(from, to, ever) }

// TruthVisible is what ABS knows at a time of the requests in [from, to).
func (s *Simulator) TruthVisible(from, to, at time.Time) Totals {
	return s.totals(from, to, at.UnixNano())
}

// TruthRequests is Truth's number of requests, at a small part of the cost.
func (s *Simulator) TruthRequests(from, to time.Time) int64 {
	v := s.view(between(from, to), ever)
	var n int64
	// Neither the context nor the row ends it.
	_ = s.traffic.each(context.Background(), v, 0, true, func(t token) error {
		n += t.total
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
	v := s.view(between(from, to), at)
	// Neither the context nor the row ends it.
	_ = s.traffic.each(context.Background(), v, 0, false, func(t token) error {
		out.add(s.traffic.join(t))
		return nil
	})
	return out
}

func (o *Totals) add(b *bundle) {
	t := o.ByToken[b.token]
	if t == nil {
		t = &TokenTotals{
			ByMethod: map[string]int64{}, ByAPI: map[string]int64{},
			ByDevice: map[string]int64{}, ByIP: map[string]int64{},
		}
		o.ByToken[b.token] = t
	}
	o.Requests += b.total
	t.Requests += b.total
	for _, ip := range b.ips {
		t.ByIP[ip.ip] += ip.total
		for _, m := range []struct {
			pairs    []pair
			all, own map[string]int64
		}{
			{ip.methods, o.ByMethod, t.ByMethod},
			{ip.api, o.ByAPI, t.ByAPI},
			{ip.devices, o.ByDevice, t.ByDevice},
		} {
			for _, p := range m.pairs {
				m.all[p.key] += p.n
				m.own[p.key] += p.n
			}
		}
	}
}
