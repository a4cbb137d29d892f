package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// demoName is the label target in the demo.
const demoName = "demo"

// check refuses what the demo settles itself, where the user asked for it here. A
// variable is passed over: it may well be there for a serve of the same shell.
func (d *demoCmd) check(in *invocation) problems {
	p := d.Sim.check()
	for _, name := range []string{
		"abs.url", "abs.access-key-file", "abs.secret-key-file", "abs.timezone", "abs.window-end", "abs.response-cap",
		"abs.tls.ca-file", "abs.tls.cert-file", "abs.tls.key-file", "abs.tls.server-name", "abs.tls.fingerprint", "abs.tls.insecure-skip-verify",
	} {
		_, env := in.places.env[name]
		if in.places.given[name] || (!env && in.places.has(name)) {
			p.addf(name, "the demo brings its own ABS and knows this of it; --simulate.* changes that one")
		}
	}
	if in.file != nil && in.file.targets != nil {
		p.addf("config", "the demo brings its own ABS; the list targets has no place in it")
	}
	d.checkCommon(&p)
	return p
}

// target is the simulated ABS as serve sees it.
func (d *demoCmd) target(url, fingerprint string) targetFlags {
	t := targetFlags{absFlags: d.ABS, location: locationOf(d.Sim.Timezone), keys: abs.StaticKeys("abs_ak", "abs_sk")}
	t.URL, t.TLS = url, tlsFlags{Fingerprint: fingerprint}
	t.WindowEnd = d.Sim.WindowEnd
	if t.Name == "" {
		t.Name = demoName
	}
	if d.Sim.ResponseCap > 0 {
		t.ResponseCap = d.Sim.ResponseCap
	}
	if t.User == userRestricted {
		t.keys = abs.StaticKeys("abs_ak_ru", "abs_sk_ru")
	}
	return t
}

// runDemo runs the simulated ABS and serve against it, over real HTTPS on loopback.
func (in *invocation) runDemo(ctx context.Context, stdout, stderr io.Writer) (err error) {
	d := &in.cli.Demo
	clock, err := newClock()
	if err != nil {
		return &usageError{err}
	}
	log, err := newLogger(d.Log, stderr)
	if err != nil {
		return err
	}
	if d.State.Dir == "" {
		dir, err := os.MkdirTemp("", "abs-exporter-demo-")
		if err != nil {
			return fmt.Errorf("--state.dir: the demo cannot keep its state: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }() // the system clears its temporary directory
		d.State.Dir = dir
	}

	sim, err := d.Sim.start(clock.Now)
	if err != nil {
		return err
	}
	if d.Sim.AttackEvery > 0 {
		openingAttacks(sim, clock.Now())
	}
	cert, _, fingerprint, err := simulator.SelfSigned("127.0.0.1", "localhost")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("the simulated ABS has no port: %w", err)
	}
	defer func() { _ = l.Close() }() // Serve has closed it, unless it was never reached

	absURL := "https://" + l.Addr().String()
	e, err := newExporter(&d.settings, []targetFlags{d.target(absURL, fingerprint)}, clock, log)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)

	// The simulated ABS.
	group.Go(func() error { return sim.Serve(ctx, l, cert) })

	// The exporter: all of serve.
	group.Go(func() error { return e.run(ctx) })

	// Only now, because whoever reads it may ask at once.
	_, werr := io.WriteString(stdout, demoNotes("http://"+reachable(e.listeners[0].Addr()), d.Web.TelemetryPath, absURL))
	if err := group.Wait(); err != nil {
		return err
	}
	return werr
}

// openingAttacks lets an attack and an anomaly be under way when the demo starts, on
// the two busiest tokens; the ones that follow come by the simulator's own schedule.
func openingAttacks(sim *simulator.Simulator, now time.Time) {
	var first, second string
	var most, next int64
	for token, t := range sim.Truth(now.Add(-10*time.Minute), now).ByToken {
		switch {
		case t.Requests > most || (t.Requests == most && token < first):
			first, second, most, next = token, first, t.Requests, most
		case t.Requests > next || (t.Requests == next && token < second):
			second, next = token, t.Requests
		}
	}
	if second == "" {
		return // no traffic to speak of: too few tokens were asked for
	}
	sim.AddAttack(
		simulator.Attack{
			Token: first, Type: "Data Exfiltration Attack Type 1", ID: 1, APIs: []string{"shop", "payments"},
			From: now.Add(-4 * time.Minute), To: now.Add(3 * time.Minute),
		},
		simulator.Attack{
			Token: second, Type: "Stolen Token Attack Type 2", ID: 16, APIs: []string{simulator.Across},
			From: now.Add(-2 * time.Minute), To: now.Add(2 * time.Minute), Anomaly: true,
		},
	)
}

// demoNotes say where to look and what to try next.
func demoNotes(base, path, absURL string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("A simulated ABS, and abs-exporter polling it. Nothing leaves this machine; Ctrl-C ends both.")
	p("  status page    %s/", base)
	p("  metrics        %s%s", base, path)
	p("  simulated ABS  %s  (keys abs_ak and abs_sk)", absURL)
	p("Try next:")
	p("  curl -s %s%s | grep -E '^abs_(requests_total|tokens_under_attack|token_attack[{])'", base, path)
	p("  curl -sk '%s/simulator/attacks'   # what is really under way", absURL)
	p(`  curl -sk -X PUT -d '[{"kind":"status","code":503}]' '%s/simulator/faults'   # ABS fails; -X DELETE: it is well again`, absURL)
	return b.String()
}
