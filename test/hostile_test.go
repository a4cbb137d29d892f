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
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// Whatever scrapers do, cycles go on, probes are answered, and the process holds little: a thousand
// scrapes at once, 500 that read nothing, 5,000 connections that never finish a request, and
// requests that make no sense.
func TestHostileScrapers(t *testing.T) {
	t.Parallel()
	sim := simulator.New(simulator.Config{Tokens: 6000, Rate: 30, Immediate: true})
	flags := startABS(t, sim, nil)
	e, probe := startProbed(t, nil, append(append(flags, keyFiles(t, "abs_ak", "abs_sk")...),
		"--collect.interval=2s", "--collect.lookback=1h", "--series.max-tokens=6000", "--series.dimensions=method,api,device,ip", "--no-forensics.enabled")...)
	address := strings.TrimSuffix(strings.TrimPrefix(e.url, "http://"), "/")
	until(t, "the page is too large for the buffers of a connection", func() bool { return len(e.get(t, "metrics")) > 5<<20 })
	_, idle := e.holds(t)
	// well checks what must hold meanwhile.
	well := func(what string) {
		t.Helper()
		before := sim.Stats().Calls["oauthtokens"]
		until(t, "cycles go on", func() bool { return sim.Stats().Calls["oauthtokens"] >= before+3 })
		asked := time.Now()
		probe.get(t, "healthz")
		took := time.Since(asked)
		memory, files := e.holds(t)
		t.Logf("%s: %d MB resident, %d files; a probe took %v", what, memory>>20, files, took.Round(time.Millisecond))
		if took > 10*time.Second {
			t.Errorf("%s: a probe took %v", what, took)
		}
		if memory > 400<<20 {
			t.Errorf("%s: %d MB are resident", what, memory>>20)
		}
	}
	well("idle")

	codes := map[int]int{}
	var mu sync.Mutex
	var scrapes sync.WaitGroup
	for range 1000 {
		scrapes.Go(func() {
			resp, err := http.Get(e.url + "metrics")
			if err != nil {
				t.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			codes[resp.StatusCode]++
			if err != nil {
				t.Error(err)
			}
		})
	}
	scrapes.Wait()
	http.DefaultClient.CloseIdleConnections()
	if codes[200] < 40 || codes[200]+codes[503] != 1000 {
		t.Errorf("the answers are %v", codes)
	}
	well(fmt.Sprintf("a thousand scrapes at once (%v)", codes))

	var open []net.Conn
	connect := func(n int, text string) {
		t.Helper()
		for range n {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	disconnect := func() {
		for _, c := range open {
			_ = c.Close()
		}
		open = nil
	}
	defer disconnect()
	connect(500, "GET /metrics HTTP/1.1\r\nHost: abs\r\n\r\n")
	well("500 that read nothing")
	if _, _, err := answer(http.DefaultClient, request(t, e.url+"metrics", "")); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("one more is answered with %v", err)
	}
	disconnect()
	until(t, "scrapes are answered again", func() bool {
		_, _, err := answer(http.DefaultClient, request(t, e.url+"metrics", ""))
		return err == nil
	})
	connect(5000, "GET /metrics HTTP/1.1\r\nHost: a")
	well("5,000 requests without an end")
	e.get(t, "metrics")
	disconnect()

	for _, odd := range []struct{ path, accept string }{
		{"metrics", strings.Repeat("text/plain;q=0.5,", 3000)},
		{"metrics", strings.Repeat(";", 50_000)},
		{"metrics?" + strings.Repeat("name[]=x&", 5000), ""},
		{"metrics", "application/openmetrics-text; version=99.9.9; escaping=\x80"},
		{"metrics/" + strings.Repeat("../", 3000), ""},
		{"metrics", strings.Repeat("x", 70_000)},
		{strings.Repeat("%00", 5000), ""},
	} {
		asked := time.Now()
		_, _, err := answer(http.DefaultClient, request(t, e.url+odd.path, odd.accept))
		if took := time.Since(asked); took > 10*time.Second || err != nil && strings.Contains(err.Error(), "50") {
			t.Errorf("/%.40s, Accept: %.40s: %v after %v", odd.path, odd.accept, err, took)
		}
	}
	well("requests that make no sense")
	tools.Until(t, patience, "all connections are gone", func() bool {
		_, files := e.holds(t)
		return files <= idle+10
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
