package config

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// Simulator is the simulated ABS of simulate and demo.
type Simulator struct {
	Seed        uint64        `default:"1" help:"Same seed, same traffic and same attacks."`
	Tokens      int           `default:"${tokens}" help:"Tokens in use at the same time."`
	TokenLife   time.Duration `default:"0s" help:"How long a token is used before another replaces it. 0s: for ever."`
	Rate        float64       `default:"${rate}" help:"Requests per token and hour, on average; some tokens are 100 times as busy."`
	End         time.Duration `default:"0s" help:"Traffic stops this long after the start. 0s: never."`
	Timezone    string        `default:"UTC" help:"IANA name of the zone of its dates."`
	WallClock   bool          `help:"It stores wall-clock minutes, so that the two passes of a repeated hour coincide."`
	WindowEnd   string        `default:"exclusive" enum:"exclusive,inclusive" help:"Whether the minute of later_date is in the window: exclusive or inclusive."`
	Batch       time.Duration `default:"${batch}" help:"Length of the batches in which requests are logged: whole minutes."`
	Delay       time.Duration `default:"${delay}" help:"How long after its batch's end a request is usually reported."`
	DelayMax    time.Duration `default:"${delaymax}" help:"Longest delay: one twelfth of a batch is later than usual."`
	AttackEvery time.Duration `default:"90s" help:"An attack or an anomaly begins this often. 0s: none."`
	AttackLast  time.Duration `default:"2m" help:"How long an attack lasts, about."`
	Training    []string      `default:"${training}" help:"APIs that are in training: ABS detects no attacks on them. Empty: none."`
	TrainingEnd time.Duration `default:"20m" help:"Their training ends this long after the start. 0s: never."`
	ABSVersion  string        `default:"5.2" enum:"4.4,5.2" help:"Version of ABS whose admin report it has: 4.4 has it at /v4/abs/admin only, and without the time zone."`
	ResponseCap ByteSize      `default:"0B" help:"Size of the largest response. 0B: no limit."`
	CapKind     string        `default:"cut" enum:"cut,abort,status,error,rows,hang" help:"What happens to a larger one: cut (the body ends early), abort (the connection too), status (a 413), error (a 500), rows (some are left out silently) or hang (no response)."`
	Faults      string        `placeholder:"JSON" help:"What fails, in the format of /simulator/faults, such as [{\"kind\":\"status\",\"code\":503,\"probability\":0.3}]."`
}

// SimulateListener is where simulate listens.
type SimulateListener struct {
	ListenAddress string `default:"127.0.0.1:8080" help:"Address to listen on."`
	CertFile      string `placeholder:"FILE" help:"Write the certificate there, in PEM, so that clients can verify it."`
	PlainHTTP     bool   `name:"plain-http" help:"Speak http instead of https."`
}

func (s *Simulate) validate(v *validation) {
	s.Simulator.validate(v)
	address(v.failf, "simulate.listen-address", s.Listen.ListenAddress)
}

func (d *Demo) validate(v *validation) {
	d.Simulator.validate(v)
	// What the demo sets itself is refused, except from a variable: that may well be there for a
	// serve of the same shell.
	for _, name := range []string{
		"abs.url", "abs.access-key-file", "abs.secret-key-file", "abs.timezone", "abs.window-end", "abs.response-cap",
		"abs.tls.ca-file", "abs.tls.cert-file", "abs.tls.key-file", "abs.tls.server-name", "abs.tls.fingerprint", "abs.tls.insecure-skip-verify",
		"abs.tls.fingerprint-file", "abs.tls.min-version", "abs.proxy-url", "abs.proxy-password-file", "abs.no-proxy",
		"abs.header-file", "abs.basic-auth.user", "abs.basic-auth.password-file", "abs.bearer-token-file",
		"targets.shard", "targets.shards",
	} {
		if v.origins.flags[name] || v.origins.env[name] == "" && v.origins.given(name) {
			v.failf(name, "the demo has its own ABS and sets this for it; --simulate.* changes that one")
		}
	}
	if v.origins.file.Targets != nil {
		v.failf("config", "the demo has its own ABS; the list targets is not allowed in it")
	}
	d.validateShared(v)
}

func (s *Simulator) validate(v *validation) {
	notNegative(v.failf, "simulate.tokens", s.Tokens)
	if isRate(v.failf, "simulate.rate", s.Rate) && s.Rate < 0 {
		v.failf("simulate.rate", "must not be negative")
	}
	if s.Batch < time.Minute || s.Batch%time.Minute != 0 {
		v.failf("simulate.batch", "must be whole minutes but is %s", s.Batch)
	}
	notNegative(v.failf, "simulate.token-life", s.TokenLife)
	notNegative(v.failf, "simulate.end", s.End)
	notNegative(v.failf, "simulate.delay", s.Delay)
	notNegative(v.failf, "simulate.attack-every", s.AttackEvery)
	notNegative(v.failf, "simulate.attack-last", s.AttackLast)
	notNegative(v.failf, "simulate.training-end", s.TrainingEnd)
	if s.DelayMax < s.Delay {
		v.failf("simulate.delay-max", "must not be shorter than --simulate.delay (%s) but is %s", s.Delay, s.DelayMax)
	}
	if zone(v.failf, "simulate.timezone", s.Timezone) == nil {
		return
	}
	if _, err := s.New(time.Now); err != nil {
		v.failf("simulate.faults", "%s", err)
	}
}

// Location returns the zone of its dates.
func (s *Simulator) Location() *time.Location {
	if l := zone(func(string, string, ...any) {}, "", s.Timezone); l != nil {
		return l
	}
	return time.UTC
}

// New returns the simulated ABS, whose traffic stops End after now. Its error is one of Faults.
func (s *Simulator) New(now func() time.Time) (*simulator.Simulator, error) {
	config := simulator.Config{
		Seed:         s.Seed,
		Tokens:       s.Tokens,
		TokenLife:    s.TokenLife,
		Rate:         s.Rate,
		Location:     s.Location(),
		WallClock:    s.WallClock,
		InclusiveEnd: s.WindowEnd == "inclusive",
		Now:          now,
		Batch:        s.Batch,
		Delay:        s.Delay,
		DelayMax:     s.DelayMax,
		AttackEvery:  s.AttackEvery,
		AttackLast:   s.AttackLast,
		Version44:    s.ABSVersion == "4.4",
		Training:     map[string]time.Time{},
		ResponseCap:  int64(s.ResponseCap),
		CapKind: map[string]simulator.CapKind{
			"cut": simulator.CapCut, "abort": simulator.CapAbort, "status": simulator.CapStatus, "error": simulator.CapError,
			"rows": simulator.CapRows, "hang": simulator.CapHang,
		}[s.CapKind],
	}
	if s.End > 0 {
		config.End = now().Add(s.End)
	}
	for _, api := range s.Training {
		var end time.Time
		if s.TrainingEnd > 0 {
			end = now().Add(s.TrainingEnd)
		}
		config.Training[api] = end
	}
	sim := simulator.New(config)
	if s.Faults == "" {
		return sim, nil
	}
	var faults []simulator.Fault
	if err := json.Unmarshal([]byte(s.Faults), &faults); err != nil {
		return nil, fmt.Errorf("expected a JSON array of faults: %w", err)
	}
	err := sim.SetFaults(faults...)
	return sim, err
}
