package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/logging"
	"github.com/abs-exporter/abs-exporter/collector"
)

// demoTarget returns the simulated ABS as serve sees it.
func demoTarget(d *config.Demo, url, fingerprint string) config.Target {
	t := d.Shared
	t.Location, t.Keys = d.Simulator.Location(), abs.StaticKeys("abs_ak", "abs_sk")
	t.URL, t.TLS, t.Name = url, config.TLS{Fingerprint: []string{fingerprint}}, cmp.Or(t.Name, "demo")
	t.WindowEnd, t.ResponseCap = d.Simulator.WindowEnd, cmp.Or(d.Simulator.ResponseCap, t.ResponseCap)
	if t.Restricted() {
		t.Keys = abs.StaticKeys("abs_ak_ru", "abs_sk_ru")
	}
	return t
}

// runDemo runs the simulated ABS and serve against it, over real HTTPS on loopback.
func runDemo(ctx context.Context, d *config.Demo, clock collector.Clock, stdout, stderr io.Writer) error {
	if d.State.Dir == "" {
		dir, err := os.MkdirTemp("", "abs-exporter-demo-")
		if err != nil {
			return fmt.Errorf("--state.dir: the demo cannot keep its state: %w", err)
		}
		defer func() { _ = os.RemoveAll(dir) }() // the system clears its temporary directory
		d.State.Dir = dir
	}

	sim, err := d.Simulator.New(clock.Now)
	if err != nil {
		return err
	}
	if d.Simulator.AttackEvery > 0 {
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
	defer func() { _ = l.Close() }() // Serve closes it, if it is reached

	absURL := "https://" + l.Addr().String()
	d.Targets = []config.Target{demoTarget(d, absURL, fingerprint)}
	lines := logging.NewWriter(stderr)
	defer lines.Close()
	e, err := newExporter(&d.Settings, clock, lines)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)

	// The simulated ABS.
	group.Go(func() error { return sim.Serve(ctx, l, cert) })

	// The exporter: all of serve.
	group.Go(func() error { return e.run(ctx, nil) })

	// Only now, because whoever reads it may send requests at once.
	_, werr := io.WriteString(stdout, demoNotes("http://"+reachable(e.listeners[0].Addr()), d.Web.TelemetryPath, absURL))
	if err := group.Wait(); err != nil {
		return err
	}
	return werr
}

// openingAttacks starts the demo with an active attack and an active anomaly, on the two busiest
// tokens. Later ones follow the simulator's own schedule.
func openingAttacks(sim *simulator.Simulator, now time.Time) {
	truth := sim.Truth(now.Add(-10*time.Minute), now).ByToken
	busiest := slices.SortedFunc(maps.Keys(truth), func(a, b string) int {
		return cmp.Or(cmp.Compare(truth[b].Requests, truth[a].Requests), cmp.Compare(a, b))
	})
	if len(busiest) < 2 {
		return
	}
	sim.AddAttack(
		simulator.Attack{
			Token: busiest[0], Type: "Data Exfiltration Attack Type 1", ID: 1, APIs: []string{"shop", "payments"},
			From: now.Add(-4 * time.Minute), To: now.Add(3 * time.Minute),
		},
		simulator.Attack{
			Token: busiest[1], Type: "Stolen Token Attack Type 2", ID: 16, APIs: []string{simulator.Across},
			From: now.Add(-2 * time.Minute), To: now.Add(2 * time.Minute), Anomaly: true,
		},
	)
}

// demoNotes lists the addresses and what to try next.
func demoNotes(base, path, absURL string) string {
	return fmt.Sprintf(`A simulated ABS, and abs-exporter polling it. Nothing leaves this machine; Ctrl-C ends both.
  status page    %[1]s/
  metrics        %[1]s%[2]s
  simulated ABS  %[3]s  (keys abs_ak and abs_sk)
Try next:
  curl -s %[1]s%[2]s | grep -E '^abs_(requests_total|flagged_tokens|token_attack_active)[{]'
  curl -sk '%[3]s/simulator/attacks'   # what is really active
  curl -sk -X PUT -d '[{"kind":"status","code":503}]' '%[3]s/simulator/faults'   # ABS fails; -X DELETE: it recovers
`, base, path, absURL)
}
