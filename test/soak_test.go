package test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// soakTime is how long TestSoak runs; make soak sets it. soakTokens is how many tokens are alive.
var (
	soakTime   = flag.Duration("soak", 0, "how long the soak runs; 0: not at all, for it is in real time")
	soakTokens = flag.Int("soak.tokens", 20_000, "how many tokens are alive at once in the soak")
)

// usage is what a process holds at a time.
type usage struct {
	at                      time.Duration // since the start
	memory                  int64         // resident, bytes
	files, goroutines       int
	series                  int
	scrape                  time.Duration
	requests, failures, cpu float64 // cpu: seconds
}

// For as long as it runs, against an ABS that fails in every way, what the process holds stays
// what it was after its first quarter; and in the end each request is counted once.
func TestSoak(t *testing.T) {
	if *soakTime == 0 {
		t.Skip("no -soak")
	}
	begin := time.Now().Add(time.Minute).Truncate(time.Minute)
	end := begin.Add(*soakTime)
	sim := simulator.New(simulator.Config{
		Seed: 7, Tokens: *soakTokens, TokenLife: 15 * time.Minute, Rate: 12, Begin: begin, End: end,
		Batch: time.Minute, Delay: time.Minute, DelayMax: 4 * time.Minute, AttackEvery: 20 * time.Second, AttackLast: 5 * time.Minute, CallLog: 64,
	})
	flags := append(startABS(t, sim, nil), keyFiles(t, "abs_ak", "abs_sk")...)
	e := startServe(t, nil, append(flags, "--collect.interval=30s", "--collect.slot=10m", "--collect.reread=1m", "--collect.settle=20m",
		"--collect.window=1h", "--series.expire=20m", "--abs.timeout=10s", "--abs.rate=50", "--forensics.rate=20")...)
	if err := sim.SetFaults(soakFaults(begin, *soakTime)...); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	var all []usage
	for time.Now().Before(end) {
		time.Sleep(10 * time.Second) // as Prometheus does
		all = append(all, e.uses(t, started))
	}
	if err := sim.SetFaults(); err != nil {
		t.Fatal(err)
	}
	truth := sim.Truth(begin, end).Requests
	tools.Until(t, 15*time.Minute, "everything is counted", func() bool {
		n, _ := e.value(t, `abs_requests_total{target="test"}`)
		return int64(n) >= truth
	})
	time.Sleep(2 * time.Minute) // whatever is counted twice is counted meanwhile
	last := e.uses(t, started)
	if int64(last.requests) != truth {
		t.Errorf("%.0f requests are counted, %d were made", last.requests, truth)
	}
	for i, u := range append(all, last) {
		if i%30 == 0 || i == len(all) {
			t.Logf("%v: %.1f MB resident, %d files, %d goroutines, %d series, %.0f requests, %.0f failures, %.1f s of processor time, scrape %v", u.at.Round(time.Second),
				float64(u.memory)/1e6, u.files, u.goroutines, u.series, u.requests, u.failures, u.cpu, u.scrape.Round(100*time.Microsecond))
		}
	}
	quarter := len(all) / 4
	before, after := most(all[quarter:2*quarter]), most(all[3*quarter:])
	t.Logf("the most in the second quarter: %+v; in the last: %+v", before, after)
	if after.memory > before.memory*115/100 || after.files > before.files+5 || after.goroutines > before.goroutines+5 || after.series > before.series*110/100 {
		t.Error("it grows")
	}
	if before.failures == 0 {
		t.Error("no report failed")
	}
	if status, took := e.terminate(t); status != 0 || took > 5*time.Second {
		t.Errorf("it ends with status %d in %v", status, took)
	}
}

// soakFaults hit one call in seven, and ABS is down for a twentieth of the time.
func soakFaults(begin time.Time, length time.Duration) []simulator.Fault {
	faults := []simulator.Fault{{Kind: simulator.FaultDown, From: begin.Add(length / 2), To: begin.Add(length/2 + length/20), Delay: time.Minute}}
	for _, kind := range []string{
		simulator.FaultStatus, simulator.FaultCut, simulator.FaultAbort, simulator.FaultStall, simulator.FaultHTML, simulator.FaultHang,
		simulator.FaultSlow, simulator.FaultReset, simulator.FaultWrongReport, simulator.FaultGarbage,
	} {
		faults = append(faults, simulator.Fault{Kind: kind, Probability: 0.014, Delay: 12 * time.Second})
	}
	for _, code := range []int{400, 429, 500} {
		faults = append(faults, simulator.Fault{Kind: simulator.FaultStatus, Code: code, Probability: 0.005, RetryAfter: "2"})
	}
	return faults
}

// uses returns what the process holds now, and scrapes it for that.
func (e *exporter) uses(t *testing.T, started time.Time) usage {
	t.Helper()
	begun := time.Now()
	page := e.get(t, "metrics")
	u := usage{at: begun.Sub(started), scrape: time.Since(begun)}
	for line := range strings.Lines(page) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		u.series++
		if i := strings.IndexByte(line, '{'); i >= 0 {
			name = line[:i]
			value = line[strings.LastIndexByte(line, ' ')+1:]
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch name {
		case "go_goroutines":
			u.goroutines = int(v)
		case "abs_requests_total":
			u.requests += v
		case "abs_exporter_report_failures_total":
			u.failures += v
		case "process_cpu_seconds_total":
			u.cpu += v
		}
	}
	u.memory, u.files = e.holds(t)
	return u
}

// holds returns the resident memory, in bytes, and the number of open files.
func (p *process) holds(t *testing.T) (memory int64, files int) {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	open, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(filepath.Join(proc, "statm"))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(status), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize()), len(open)
}

// most returns the most of each.
func most(all []usage) (m usage) {
	for _, u := range all {
		m.memory, m.files, m.goroutines = max(m.memory, u.memory), max(m.files, u.files), max(m.goroutines, u.goroutines)
		m.series, m.scrape = max(m.series, u.series), max(m.scrape, u.scrape)
		m.requests, m.failures, m.cpu = max(m.requests, u.requests), max(m.failures, u.failures), max(m.cpu, u.cpu)
	}
	return m
}
