package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Kinds of faults.
const (
	FaultStatus      = "status"       // an error status, with Retry-After if set
	FaultCut         = "cut"          // the body stops after Share; the HTTP message ends as if all were well
	FaultAbort       = "abort"        // the body stops after Share and the connection is torn
	FaultStall       = "stall"        // the body pauses after Share for Delay, then goes on
	FaultHTML        = "html"         // status 200 with a web page
	FaultHang        = "hang"         // no response: until the client gives up, or for Delay and then a torn connection
	FaultSlow        = "slow"         // the response, or another fault after this one in the list, follows after Delay
	FaultReset       = "reset"        // the connection is torn at once
	FaultWrongReport = "wrong_report" // another report than was requested
	FaultGarbage     = "garbage"      // status 200, begins as a report does and then is none
	FaultBody        = "body"         // status 200 with Body

	// ABS is down from From to To and works through nothing, while ASE keeps logging: each call is
	// answered with Code, 503 by default, or with an empty report if Code is 200. What arrived
	// meanwhile is worked through in order within Delay of Config.Now after To.
	FaultDown = "down"
	// The same, but reports are answered: as if no request had been made since From.
	FaultStandstill = "standstill"
	// The call is answered by a node that is Delay of Config.Now behind the others; together with
	// any other fault. Of n nodes that are asked at random, that is a Probability of 1/n.
	FaultBehind = "behind"

	// These change what the admin report says while they last, and no call.
	FaultLicense   = "license"   // the licence runs out at From; To: it is renewed
	FaultTraining  = "training"  // API is not in prediction mode
	FaultUntracked = "untracked" // no tokens are tracked on API
	FaultDisk      = "disk"      // the file system of the second node fills to Share, within Delay of Config.Now after From
	FaultNodeGone  = "node_gone" // the second node is not in the report
	FaultMongoDB   = "mongodb"   // the second node of MongoDB is down
	FaultZone      = "zone"      // Body is the time zone in it
)

var stateFaults = []string{FaultLicense, FaultTraining, FaultUntracked, FaultDisk, FaultNodeGone, FaultMongoDB, FaultZone}

var faultKinds = append([]string{
	FaultStatus, FaultCut, FaultAbort, FaultStall, FaultHTML, FaultHang, FaultSlow,
	FaultReset, FaultWrongReport, FaultGarbage, FaultBody, FaultDown, FaultStandstill, FaultBehind,
}, stateFaults...)

// Fault is something that goes wrong. In JSON its delay is written as 1.5s or 2m.
type Fault struct {
	Report      string        `json:"report,omitempty"`      // oauthtokens, forensics, attacklist, attack, admin, attackstatus; empty: all
	Kind        string        `json:"kind"`                  // one of the kinds of faults
	Code        int           `json:"code,omitempty"`        // with status and down; default 503
	RetryAfter  string        `json:"retry_after,omitempty"` // the header's value: seconds or a date
	Delay       time.Duration `json:"-"`                     // with slow, stall and hang, by the network's clock; with down, standstill, behind and disk, by Config.Now
	Share       float64       `json:"share,omitempty"`       // with cut, abort and stall: of the body, with disk: of the file system, 0 to 1; 0: half
	Body        string        `json:"body,omitempty"`        // with body and zone
	API         string        `json:"api,omitempty"`         // with training and untracked
	Probability float64       `json:"probability,omitempty"` // of hitting a call; 0: 1
	Times       int           `json:"times,omitempty"`       // how often it hits at most; 0: no bound
	From        time.Time     `json:"from,omitzero"`         // hits only from this time of Config.Now on; zero: no bound
	To          time.Time     `json:"to,omitzero"`           // and before this one
}

type faultState struct {
	Fault
	seen, hits int
}

type plainFault Fault

// faultJSON is Fault with its delay as people write it.
type faultJSON struct {
	plainFault
	Delay string `json:"delay,omitempty"`
}

// MarshalJSON writes the fault as PUT /simulator/faults reads it.
func (f Fault) MarshalJSON() ([]byte, error) {
	j := faultJSON{plainFault: plainFault(f)}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads a fault as MarshalJSON writes it.
func (f *Fault) UnmarshalJSON(b []byte) (err error) {
	var j faultJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*f = Fault(j.plainFault)
	if j.Delay != "" {
		f.Delay, err = time.ParseDuration(j.Delay)
	}
	return err
}

func (f *Fault) check() error {
	switch {
	case !slices.Contains(faultKinds, f.Kind):
		return fmt.Errorf("fault of kind %q: expected one of %q", f.Kind, faultKinds)
	case f.Report != "" && !slices.Contains(endpointNames(), f.Report):
		return fmt.Errorf("fault on report %q: expected one of %q, or none for all", f.Report, endpointNames())
	case f.Share < 0 || f.Share > 1:
		return fmt.Errorf("fault with share %v: expected 0 to 1", f.Share)
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("fault with probability %v: expected 0 to 1", f.Probability)
	case f.Code != 0 && (f.Code < 200 || f.Code > 599):
		return fmt.Errorf("fault with code %d: expected an HTTP status", f.Code)
	case f.Delay < 0:
		return fmt.Errorf("fault with delay %v: expected none that is negative", f.Delay)
	case f.isOutage() && (!f.From.Before(f.To) || f.From.IsZero()):
		return fmt.Errorf("fault of kind %q: expected a time from and a later time to", f.Kind)
	case f.isOutage() && (f.Report != "" || f.Times != 0 || f.Probability != 0 && f.Probability != 1):
		return fmt.Errorf("fault of kind %q: it hits every call, and has neither report nor probability nor times", f.Kind)
	case f.isState() && (f.Report != "" || f.Times != 0 || f.Probability != 0 && f.Probability != 1):
		return fmt.Errorf("fault of kind %q: it concerns the admin report only, and has neither report nor probability nor times", f.Kind)
	case f.Kind == FaultLicense && f.From.IsZero():
		return fmt.Errorf("fault of kind %q: expected a time from", f.Kind)
	case (f.API != "") != (f.Kind == FaultTraining || f.Kind == FaultUntracked):
		return fmt.Errorf("fault of kind %q: expected an api with %q and %q, and only there", f.Kind, FaultTraining, FaultUntracked)
	}
	return nil
}

// isState returns whether the fault changes what the admin report says.
func (f *Fault) isState() bool { return slices.Contains(stateFaults, f.Kind) }

// isOutage returns whether the fault keeps ABS from working through what ASE logs.
func (f *Fault) isOutage() bool { return f.Kind == FaultDown || f.Kind == FaultStandstill }

// knownBy returns up to which time what arrived is worked through at a time. What arrives during
// the outage or while its backlog is worked through waits for its turn.
func (f *Fault) knownBy(at int64) int64 {
	from, to := f.From.UnixNano(), f.To.UnixNano()
	switch worked := at - to; {
	case at < from || worked >= int64(f.Delay):
		return at
	case worked < 0:
		return from
	default:
		return from + int64(float64(worked)/float64(f.Delay)*float64(to-from)) + worked
	}
}

// knownBy returns up to which time what arrived is worked through at a time: before that time in
// and after an outage, else that time.
func (s *Simulator) knownBy(at int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := at
	for _, f := range s.faults {
		if f.isOutage() {
			known = min(known, f.knownBy(at))
		}
	}
	return known
}

// SetFaults replaces the faults. The first in the list that hits a call decides what becomes of it,
// but for slow, standstill and behind, which go together with any other. Which calls a probability
// hits depends on Config.Seed and on how many calls the fault has seen. On an error nothing is
// replaced.
func (s *Simulator) SetFaults(faults ...Fault) error {
	states := make([]*faultState, len(faults))
	for i, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
		if f.Probability == 0 {
			f.Probability = 1
		}
		if f.Share == 0 {
			f.Share = 0.5
		}
		if f.Code == 0 && (f.Kind == FaultStatus || f.Kind == FaultDown) {
			f.Code = 503
		}
		states[i] = &faultState{Fault: f}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = states
	return nil
}

// Faults returns those that are set.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		out[i] = f.Fault
	}
	return out
}

// hits is what goes wrong with a call.
type hits struct {
	wait   time.Duration // it is answered so much later
	behind time.Duration // by a node that is so much behind
	fault  *Fault        // the fault that decides what becomes of it, if any
}

// hit decides what goes wrong with a call.
func (s *Simulator) hit(report string, at time.Time) (h hits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.isState() || f.Report != "" && f.Report != report ||
			!f.From.IsZero() && at.Before(f.From) || !f.To.IsZero() && !at.Before(f.To) ||
			f.Times > 0 && f.hits >= f.Times {
			continue
		}
		f.seen++
		if unit(mix(mix(s.cfg.Seed, uint64(f.seen)), ^uint64(i))) >= f.Probability {
			continue
		}
		f.hits++
		switch f.Kind {
		case FaultSlow:
			h.wait += f.Delay
		case FaultBehind:
			h.behind = max(h.behind, f.Delay)
		case FaultStandstill: // it is in what ABS knows
		default:
			found := f.Fault
			h.fault = &found
			return h
		}
	}
	return h
}
