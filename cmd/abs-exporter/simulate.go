package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// simulateFlags are what the simulated ABS takes, alone and in the demo.
type simulateFlags struct {
	Seed        uint64        `default:"1" help:"Same seed, same traffic and same attacks."`
	Tokens      int           `default:"${tokens}" help:"Tokens alive at once."`
	TokenLife   time.Duration `default:"0s" help:"How long a token lives before another takes its place. 0s: for ever."`
	Rate        float64       `default:"${rate}" help:"Requests per token and hour, on average; some tokens are 100 times as busy."`
	End         time.Duration `default:"0s" help:"Traffic stops this long after the start. 0s: never."`
	Timezone    string        `default:"UTC" help:"IANA name of the zone of its dates."`
	WallClock   bool          `help:"It stores wall-clock minutes, so that the two passes of a repeated hour fall together."`
	WindowEnd   string        `default:"exclusive" enum:"exclusive,inclusive" help:"Whether the minute of later_date is in the window: exclusive or inclusive."`
	Batch       time.Duration `default:"${batch}" help:"Requests are logged in batches this long: whole minutes."`
	Delay       time.Duration `default:"${delay}" help:"How long after its batch's end a request is told, as a rule."`
	DelayMax    time.Duration `default:"${delaymax}" help:"How long at most: one part of a batch in twelve is later than the rule."`
	AttackEvery time.Duration `default:"90s" help:"An attack or an anomaly begins this often. 0s: none."`
	AttackLast  time.Duration `default:"2m" help:"How long an attack lasts, about."`
	ResponseCap byteSize      `default:"0B" help:"Size of the largest answer it gives. 0B: no limit."`
	CapKind     string        `default:"cut" enum:"cut,abort,status,rows,hang" help:"What becomes of a larger one: cut (the body ends early), abort (the connection too), status (an error), rows (some are left out without a word) or hang (no answer)."`
	Faults      string        `placeholder:"JSON" help:"What goes wrong, as /simulator/faults takes it, such as [{\"kind\":\"status\",\"code\":503,\"probability\":0.3}]."`
}

type simulateListen struct {
	ListenAddress string `default:"127.0.0.1:8080" help:"Address to listen on."`
	CertFile      string `placeholder:"FILE" help:"Write the certificate there, in PEM, so that clients can verify it."`
	PlainHTTP     bool   `name:"plain-http" help:"Speak http instead of https."`
}

func (f *simulateFlags) check() problems {
	var p problems
	if f.Tokens < 0 {
		p.addf("simulate.tokens", "must not be negative but is %d", f.Tokens)
	}
	if !(f.Rate >= 0) {
		p.addf("simulate.rate", "must not be negative")
	}
	if f.Batch < time.Minute || f.Batch%time.Minute != 0 {
		p.addf("simulate.batch", "must be whole minutes but is %s", f.Batch)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"token-life", f.TokenLife}, {"end", f.End}, {"delay", f.Delay}, {"attack-every", f.AttackEvery}, {"attack-last", f.AttackLast},
	} {
		if d.d < 0 {
			p.addf("simulate."+d.name, "must not be negative but is %s", d.d)
		}
	}
	if f.DelayMax < f.Delay {
		p.addf("simulate.delay-max", "must not be shorter than --simulate.delay (%s) but is %s", f.Delay, f.DelayMax)
	}
	if _, err := time.LoadLocation(f.Timezone); err != nil || f.Timezone == "" || f.Timezone == "Local" {
		p.addf("simulate.timezone", "unknown time zone %q", f.Timezone)
	}
	if _, err := f.start(time.Now); err != nil {
		p.addf("simulate.faults", "%s", err)
	}
	return p
}

// start makes the simulated ABS, its traffic ending f.End after now.
func (f *simulateFlags) start(now func() time.Time) (*simulator.Simulator, error) {
	location, err := time.LoadLocation(f.Timezone)
	if err != nil {
		return nil, err
	}
	config := simulator.Config{
		Seed:         f.Seed,
		Tokens:       f.Tokens,
		TokenLife:    f.TokenLife,
		Rate:         f.Rate,
		Location:     location,
		WallClock:    f.WallClock,
		InclusiveEnd: f.WindowEnd == windowEndInclusive,
		Now:          now,
		Batch:        f.Batch,
		Delay:        f.Delay,
		DelayMax:     f.DelayMax,
		AttackEvery:  f.AttackEvery,
		AttackLast:   f.AttackLast,
		ResponseCap:  int64(f.ResponseCap),
		CapKind:      f.capKind(),
	}
	if f.End > 0 {
		config.End = now().Add(f.End)
	}
	sim := simulator.New(config)
	if f.Faults == "" {
		return sim, nil
	}
	var faults []simulator.Fault
	if err := json.Unmarshal([]byte(f.Faults), &faults); err != nil {
		return nil, fmt.Errorf("expected a JSON array of faults: %w", err)
	}
	if err := sim.SetFaults(faults...); err != nil {
		return nil, err
	}
	return sim, nil
}

func (f *simulateFlags) capKind() simulator.CapKind {
	switch f.CapKind {
	case "abort":
		return simulator.CapAbort
	case "status":
		return simulator.CapStatus
	case "rows":
		return simulator.CapRows
	case "hang":
		return simulator.CapHang
	default:
		return simulator.CapCut
	}
}

// runSimulate runs the simulated ABS alone.
func (in *invocation) runSimulate(ctx context.Context, stdout io.Writer) error {
	clock, err := newClock()
	if err != nil {
		return &usageError{err}
	}
	f, listen := in.cli.Simulate.Sim, in.cli.Simulate.Listen
	sim, err := f.start(clock.Now)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(listen.ListenAddress)
	if err != nil {
		return &usageError{fmt.Errorf("--simulate.listen-address: %q is no address of the form host:port or :port", listen.ListenAddress)}
	}
	cert, pem, fingerprint, err := simulator.SelfSigned(certHosts(host)...)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen.ListenAddress)
	if err != nil {
		return fmt.Errorf("--simulate.listen-address: the simulated ABS cannot be reached: %w", err)
	}
	defer func() { _ = l.Close() }() // Serve has closed it, unless it was never reached
	told := simulateNotes{
		url:  "https://" + reachable(l.Addr()),
		curl: "curl -sk",
		now:  clock.Now().In(locationOf(f.Timezone)),
		cert: "fingerprint of its certificate: " + fingerprint + "\n",
	}
	if listen.CertFile != "" {
		if err := renameio.WriteFile(listen.CertFile, pem, 0o644); err != nil {
			return fmt.Errorf("--simulate.cert-file: %w", err)
		}
		told.curl = "curl -s --cacert " + listen.CertFile
	}
	if listen.PlainHTTP {
		told.url, told.curl, told.cert = "http://"+reachable(l.Addr()), "curl -s", ""
		cert.Certificate = nil
	}
	if _, err := io.WriteString(stdout, told.String()); err != nil {
		return err
	}
	return sim.Serve(ctx, l, cert)
}

// simulateNotes say where the simulated ABS is and what to ask it first.
type simulateNotes struct {
	url, curl, cert string
	now             time.Time
}

func (n simulateNotes) String() string {
	const minute = "2006-01-02T15:04"
	return fmt.Sprintf(`simulated ABS at %s (its traffic is made up)
keys: abs_ak and abs_sk; of the restricted user: abs_ak_ru and abs_sk_ru
%stry:
  %s -H 'x-abs-ak: abs_ak' -H 'x-abs-sk: abs_sk' '%s/v4/abs/oauthtokens?later_date=%s&earlier_date=%s'
  %s '%s/simulator/attacks'   # what is under way; /simulator/truth and /simulator/faults too
`, n.url, n.cert, n.curl, n.url, n.now.Format(minute), n.now.Add(-time.Hour).Format(minute), n.curl, n.url)
}

// certHosts are the names that the certificate of a listener should bear.
func certHosts(host string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	switch ip := net.ParseIP(host); {
	case host == "" || host == "localhost" || (ip != nil && ip.IsLoopback()):
		return hosts
	case ip != nil && ip.IsUnspecified():
		if name, err := os.Hostname(); err == nil {
			hosts = append(hosts, name)
		}
		return hosts
	default:
		return append(hosts, host)
	}
}

// reachable is an address of this machine by which a listener can be asked.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func locationOf(zone string) *time.Location {
	if l, err := time.LoadLocation(zone); err == nil {
		return l
	}
	return time.UTC
}
