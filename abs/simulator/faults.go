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
	FaultHang        = "hang"         // no answer: until the client gives up, or for Delay and then a torn connection
	FaultSlow        = "slow"         // the answer, or another fault after this one in the list, comes after Delay
	FaultReset       = "reset"        // the connection is torn at once
	FaultWrongReport = "wrong_report" // the answer to another question
	FaultGarbage     = "garbage"      // status 200, begins as a report does and then is none
	FaultBody        = "body"         // status 200 with Body
)

// Fault is something that goes wrong.
type Fault struct {
	Report      string        // oauthtokens, forensics, attacklist, attack, admin, attackstatus; empty: all
	Kind        string        // one of the kinds of faults
	Code        int           // with status; default 503
	RetryAfter  string        // the header's value: seconds or a date
	Delay       time.Duration // with slow, stall and hang, in the time of the network, not of Config.Now
	Share       float64       // with cut, abort and stall: of the body, 0 to 1; 0: half
	Body        string        // with body
	Probability float64       // of hitting a call; 0: 1
	Times       int           // how often it hits at most; 0: no bound
	From, To    time.Time     // hits only in this time of Config.Now; zero: no bound
}

type faultState struct {
	Fault
	seen, hits int
}

// faultJSON is Fault with durations as people write them.
type faultJSON struct {
	Report      string    `json:"report,omitempty"`
	Kind        string    `json:"kind"`
	Code        int       `json:"code,omitempty"`
	RetryAfter  string    `json:"retry_after,omitempty"`
	Delay       string    `json:"delay,omitempty"`
	Share       float64   `json:"share,omitempty"`
	Body        string    `json:"body,omitempty"`
	Probability float64   `json:"probability,omitempty"`
	Times       int       `json:"times,omitempty"`
	From        time.Time `json:"from,omitzero"`
	To          time.Time `json:"to,omitzero"`
}

// MarshalJSON writes the fault as /simulator/faults takes it.
func (f Fault) MarshalJSON() ([]byte, error) {
	j := faultJSON{f.Report, f.Kind, f.Code, f.RetryAfter, "", f.Share, f.Body, f.Probability, f.Times, f.From, f.To}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads a fault; its delay is written as 1.5s or 2m.
func (f *Fault) UnmarshalJSON(b []byte) error {
	var j faultJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*f = Fault{j.Report, j.Kind, j.Code, j.RetryAfter, 0, j.Share, j.Body, j.Probability, j.Times, j.From, j.To}
	if j.Delay != "" {
		d, err := time.ParseDuration(j.Delay)
		if err != nil {
			return err
		}
		f.Delay = d
	}
	return nil
}

func (f *Fault) check() error {
	kinds := []string{
		FaultStatus, FaultCut, FaultAbort, FaultStall, FaultHTML, FaultHang, FaultSlow,
		FaultReset, FaultWrongReport, FaultGarbage, FaultBody,
	}
	switch {
	case !slices.Contains(kinds, f.Kind):
		return fmt.Errorf("fault of kind %q: expected one of %q", f.Kind, kinds)
	case f.Report != "" && !slices.Contains(endpointNames(), f.Report):
		return fmt.Errorf("fault on report %q: expected one of %q, or none for all", f.Report, endpointNames())
	case f.Share < 0 || f.Share > 1:
		return fmt.Errorf("fault with share %v: expected 0 to 1", f.Share)
	case f.Probability < 0 || f.Probability > 1:
		return fmt.Errorf("fault with probability %v: expected 0 to 1", f.Probability)
	case f.Code != 0 && (f.Code < 200 || f.Code > 599):
		return fmt.Errorf("fault with code %d: expected an HTTP status", f.Code)
	}
	return nil
}

// SetFaults replaces the faults. The first in the list that hits a call decides what
// becomes of it, but for slow, which goes together with any other. Which calls a
// probability hits depends on Config.Seed and on how many calls the fault has seen.
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
		if f.Code == 0 && f.Kind == FaultStatus {
			f.Code = 503
		}
		states[i] = &faultState{Fault: f}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = states
	return nil
}

// Faults are those that are set.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		out[i] = f.Fault
	}
	return out
}

// hit decides what goes wrong with a call: how much later it is answered, and the
// fault, if any.
func (s *Simulator) hit(report string, at time.Time) (wait time.Duration, hit *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Report != "" && f.Report != report ||
			!f.From.IsZero() && at.Before(f.From) || !f.To.IsZero() && !at.Before(f.To) ||
			f.Times > 0 && f.hits >= f.Times {
			continue
		}
		f.seen++
		if unit(mix(mix(s.cfg.Seed, uint64(f.seen)), ^uint64(i))) >= f.Probability {
			continue
		}
		f.hits++
		if f.Kind == FaultSlow {
			wait += f.Delay
			continue
		}
		found := f.Fault
		return wait, &found
	}
	return wait, nil
}

// parseFaults reads a JSON array of faults, or one fault.
func parseFaults(b []byte) ([]Fault, error) {
	var one Fault
	if err := json.Unmarshal(b, &one); err == nil {
		return []Fault{one}, nil
	}
	var all []Fault
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("expected a JSON array of faults: %w", err)
	}
	return all, nil
}
