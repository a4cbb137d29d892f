package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// besieged is an exporter whose page is larger than the buffers of a connection.
type besieged struct {
	*exporter
	t       *testing.T
	probe   *exporter
	sim     *simulator.Simulator
	address string
	idle    int // open files, before
	open    []net.Conn
}

func newBesieged(t *testing.T) *besieged {
	t.Helper()
	sim := simulator.New(simulator.Config{Tokens: 6000, Rate: 30, Immediate: true})
	flags := startABS(t, sim, nil)
	e, probe := startProbed(t, nil, append(append(flags, keyFiles(t, "abs_ak", "abs_sk")...),
		"--collect.interval=2s", "--collect.lookback=1h", "--series.max-tokens=6000", "--series.dimensions=method,api,device,ip", "--no-forensics.enabled")...)
	until(t, "the page is too large for the buffers of a connection", func() bool { return len(e.get(t, "metrics")) > 5<<20 })
	b := &besieged{exporter: e, t: t, probe: probe, sim: sim, address: strings.Trim(strings.TrimPrefix(e.url, "http:"), "/")}
	_, b.idle = e.holds(t)
	t.Cleanup(b.disconnect)
	return b
}

// isWell checks what must hold whatever scrapers do.
func (b *besieged) isWell(what string) {
	b.t.Helper()
	before := b.sim.Stats().Calls["oauthtokens"]
	until(b.t, "cycles go on", func() bool { return b.sim.Stats().Calls["oauthtokens"] >= before+3 })
	asked := time.Now()
	b.probe.get(b.t, "healthz")
	took := time.Since(asked)
	memory, files := b.holds(b.t)
	b.t.Logf("%s: %d MB resident, %d files; a probe took %v", what, memory>>20, files, took.Round(time.Millisecond))
	if took > 10*time.Second || memory > 400<<20 {
		b.t.Errorf("%s: a probe took %v, %d MB are resident", what, took, memory>>20)
	}
}

// scrapes makes n scrapes at once, and returns how many had each status.
func (b *besieged) scrapes(n int) map[int]int {
	b.t.Helper()
	codes := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			resp, err := http.DefaultClient.Do(request(b.t, b.url+"metrics", ""))
			if err == nil {
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close() // only read from
			}
			if err != nil {
				b.t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			codes[resp.StatusCode]++
		})
	}
	all.Wait()
	http.DefaultClient.CloseIdleConnections()
	return codes
}

// connect opens n connections, sends a text on each, and reads nothing.
func (b *besieged) connect(n int, text string) {
	b.t.Helper()
	for range n {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			b.t.Fatal(err)
		}
		b.open = append(b.open, c)
		if _, err := io.WriteString(c, text); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *besieged) disconnect() {
	for _, c := range b.open {
		_ = c.Close() // nothing was read
	}
	b.open = nil
}

// ask returns the error of a request, and fails the test where it takes long.
func (b *besieged) ask(path, accept string) error {
	b.t.Helper()
	asked := time.Now()
	_, _, err := answer(http.DefaultClient, request(b.t, b.url+path, accept))
	if took := time.Since(asked); took > 10*time.Second {
		b.t.Errorf("/%.40s, Accept: %.40s: %v after %v", path, accept, err, took)
	}
	return err
}

// Whatever scrapers do, cycles go on, probes are answered, and the process holds little: a thousand
// scrapes at once, 500 that read nothing, 5,000 connections that never finish a request, and
// requests that make no sense.
func TestHostileScrapers(t *testing.T) {
	t.Parallel()
	b := newBesieged(t)
	b.isWell("idle")

	codes := b.scrapes(1000)
	if codes[200] < 40 || codes[200]+codes[503] != 1000 {
		t.Errorf("the answers are %v", codes)
	}
	b.isWell(fmt.Sprintf("a thousand scrapes at once (%v)", codes))

	b.connect(500, "GET /metrics HTTP/1.1\r\nHost: abs\r\n\r\n")
	b.isWell("500 that read nothing")
	if err := b.ask("metrics", ""); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("one more is answered with %v", err)
	}
	b.disconnect()
	until(t, "scrapes are answered again", func() bool { return b.ask("metrics", "") == nil })

	b.connect(5000, "GET /metrics HTTP/1.1\r\nHost: a")
	b.isWell("5,000 requests without an end")
	if err := b.ask("metrics", ""); err != nil {
		t.Errorf("beside them: %v", err)
	}
	b.disconnect()

	for _, odd := range []struct{ path, accept string }{
		{"metrics", strings.Repeat("text/plain;q=0.5,", 3000)},
		{"metrics", strings.Repeat(";", 50_000)},
		{"metrics?" + strings.Repeat("name[]=x&", 5000), ""},
		{"metrics", "application/openmetrics-text; version=99.9.9; escaping=\x80"},
		{"metrics/" + strings.Repeat("../", 3000), ""},
		{"metrics", strings.Repeat("x", 70_000)},
		{strings.Repeat("%00", 5000), ""},
	} {
		if err := b.ask(odd.path, odd.accept); err != nil && strings.HasPrefix(err.Error(), "5") {
			t.Errorf("/%.40s, Accept: %.40s: %v", odd.path, odd.accept, err)
		}
	}
	b.isWell("requests that make no sense")
	until(t, "all connections are gone", func() bool {
		_, files := b.holds(t)
		return files <= b.idle+10
	})
}

func request(t *testing.T, url, accept string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	return req
}
