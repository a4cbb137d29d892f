// Command stack runs everything on one machine: a simulated ABS, abs-exporter, Prometheus with the
// alert rules, Alertmanager, and prints pages on the terminal.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:])) }

// settings are where the programs are, and where they listen.
type settings struct {
	exporter, prometheus, alertmanager string // programs
	rules                              string // folder
	web, prom, alert                   string // addresses
}

func run(args []string) int {
	flags := flag.NewFlagSet("stack", flag.ContinueOnError)
	var s settings
	flags.StringVar(&s.exporter, "abs-exporter", "bin/abs-exporter", "the program")
	flags.StringVar(&s.prometheus, "prometheus", ".tools/bin/prometheus", "the program")
	flags.StringVar(&s.alertmanager, "alertmanager", ".tools/bin/alertmanager", "the program")
	flags.StringVar(&s.rules, "rules", "alerts", "the folder of the rules and the Alertmanager example")
	flags.StringVar(&s.web, "exporter-address", "127.0.0.1:10464", "where the exporter listens")
	flags.StringVar(&s.prom, "prometheus-address", "127.0.0.1:9090", "where Prometheus listens")
	flags.StringVar(&s.alert, "alertmanager-address", "127.0.0.1:9093", "where Alertmanager listens")
	if err := flags.Parse(args); err != nil {
		return 2 // flags has printed why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.start(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		return 1
	}
	return 0
}

// start runs everything until ctx ends, or until one of the programs does.
func (s *settings) start(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "abs-exporter-stack-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears its temporary directory

	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	state := filepath.Join(dir, "state")
	pages := &http.Server{Handler: &receiver{out: os.Stdout}, ReadHeaderTimeout: 10 * time.Second}
	all.Go(func() { _ = pages.Serve(l) }) // until it is closed
	defer func() { _ = pages.Close() }()  // nothing to drain

	promConfig, alertConfig := filepath.Join(dir, "prometheus.yml"), filepath.Join(dir, "alertmanager.yml")
	if err := writeConfigs(s, promConfig, alertConfig, "http://"+l.Addr().String()); err != nil {
		return err
	}
	programs := []*program{
		{name: "abs-exporter", path: s.exporter, args: []string{"demo", "--web.listen-address=" + s.web, "--state.dir=" + state, "--log.level=error"}, out: os.Stdout},
		{name: "prometheus", path: s.prometheus, args: []string{
			"--config.file=" + promConfig, "--storage.tsdb.path=" + filepath.Join(dir, "prometheus"), "--web.listen-address=" + s.prom,
		}},
		{name: "alertmanager", path: s.alertmanager, args: []string{
			"--config.file=" + alertConfig, "--storage.path=" + filepath.Join(dir, "alertmanager"), "--web.listen-address=" + s.alert, "--cluster.listen-address=",
		}},
	}
	for _, p := range programs {
		all.Go(func() { cancel(p.run(ctx)) })
	}
	for _, url := range []string{"http://" + s.web + "/healthz", "http://" + s.prom + "/-/ready", "http://" + s.alert + "/-/ready"} {
		if err := answers(ctx, url); err != nil {
			return context.Cause(ctx)
		}
	}
	fmt.Print(s.notes(state))
	<-ctx.Done()
	return context.Cause(ctx)
}

func (s *settings) notes(state string) string {
	return fmt.Sprintf(`
Prometheus with the rules of %[1]s/ scrapes the exporter every 5 s, and Alertmanager routes as %[1]s/alertmanager.yml does,
but all receivers are this terminal and the first message waits 5 s only. Where to look:
  alerts         curl -s http://%[2]s/api/v1/alerts
  a query        curl -s 'http://%[2]s/api/v1/query' --data-urlencode 'query=sum by (attack_type, api) (abs_attack_tokens)'
  Alertmanager   curl -s http://%[3]s/api/v2/alerts/groups
  pages          here. They resolve once ABS's window (5 min in the demo) and keep_firing_for (15 min) have passed
  a token        ABS_EXPORTER_ABS_ACCESS_KEY=abs_ak ABS_EXPORTER_ABS_SECRET_KEY=abs_sk %[4]s resolve TOKEN_ID \
                   --state.dir=%[5]s --abs.tls.insecure-skip-verify --abs.url=THE_SIMULATED_ABS   # its address stands above
  Grafana        add http://%[2]s as a Prometheus data source, and import dashboards/*.json
Ctrl-C ends all of it.

`, s.rules, s.prom, s.alert, s.exporter, state)
}

// program is one of the processes.
type program struct {
	name, path string
	args       []string
	out        *os.File // nil: its output is kept for the error if it ends
}

// run runs the program until ctx ends. It returns an error if the program ends before.
func (p *program) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, p.path, p.args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var output tail
	cmd.Stdout, cmd.Stderr = &output, &output
	if p.out != nil {
		cmd.Stdout, cmd.Stderr = p.out, p.out
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("%s has ended, so all others were stopped: %w\n%s", p.name, errors.Join(err), output.text.Bytes())
}

// tail keeps the end of a program's output.
type tail struct{ text bytes.Buffer }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 4 << 10
	n, err := t.text.Write(b)
	if over := t.text.Len() - most; over > 0 {
		t.text.Next(over)
	}
	return n, err
}

// answers waits until url answers with status 200.
func answers(ctx context.Context, url string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		client := http.Client{Timeout: 5 * time.Second}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close() // only the status is needed
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
