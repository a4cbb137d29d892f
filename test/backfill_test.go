package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// realPrometheus is the pinned Prometheus on a directory of its own.
type realPrometheus struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
}

// start starts it, or starts it again.
func (p *realPrometheus) start() {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	p.cmd = exec.Command(tools.Path(p.t, "prometheus"), "--config.file="+filepath.Join(p.dir, "prometheus.yml"),
		"--storage.tsdb.path="+p.data(), "--storage.tsdb.retention.time=1y", "--web.listen-address="+p.address, "--log.level=warn")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	until(p.t, "Prometheus is ready", func() bool {
		resp, err := http.DefaultClient.Get("http://" + p.address + "/-/ready")
		if err != nil {
			return false
		}
		_ = resp.Body.Close() // only the status is needed
		return resp.StatusCode == http.StatusOK
	})
}

func (p *realPrometheus) data() string { return filepath.Join(p.dir, "data") }

// stop ends it, as an init system does.
func (p *realPrometheus) stop() {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // its data are looked at
}

// startPrometheus scrapes an address each second.
func startPrometheus(t *testing.T, target string) *realPrometheus {
	t.Helper()
	p := &realPrometheus{t: t, dir: t.TempDir(), address: tools.FreeAddress(t)}
	config := fmt.Sprintf("scrape_configs: [{job_name: abs, scrape_interval: 1s, static_configs: [{targets: [%q]}]}]\n", target)
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	t.Cleanup(func() {
		p.stop()
		if text, err := os.ReadFile(filepath.Join(p.dir, "log")); t.Failed() && err == nil {
			t.Logf("Prometheus:\n%s", tail(string(text)))
		}
	})
	return p
}

// stored is what is stored of one series.
type stored struct {
	Metric map[string]string `json:"metric"`
	Values []point           `json:"values"`
	Value  point             `json:"value"`
}

type point struct {
	ms    int64
	value float64
}

// UnmarshalJSON reads a pair of seconds and a value in quotes.
func (p *point) UnmarshalJSON(text []byte) error {
	var seconds float64
	var value string
	if err := json.Unmarshal(text, &[]any{&seconds, &value}); err != nil {
		return err
	}
	p.ms = int64(math.Round(1000 * seconds))
	_, err := fmt.Sscan(value, &p.value)
	return err
}

// query returns the result of an instant query.
func (p *realPrometheus) query(expr string, at time.Time) []stored {
	p.t.Helper()
	resp, err := http.DefaultClient.PostForm("http://"+p.address+"/api/v1/query", url.Values{
		"query": {expr}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	var answer struct {
		Data struct {
			Result []stored `json:"result"`
		} `json:"data"`
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s, %v", expr, text, err)
	}
	return answer.Data.Result
}

// total returns the value of an instant query for one series; 0 without a result.
func (p *realPrometheus) total(expr string, at time.Time) float64 {
	p.t.Helper()
	if result := p.query(expr, at); len(result) == 1 {
		return result[0].Value.value
	}
	return 0
}

// increase returns by how much the stored samples rise from one time to another, by a label: as
// increase() counts, but for what that extrapolates of series that begin or end in between.
func increase(all []stored, label string, from, to time.Time) map[string]float64 {
	sums := map[string]float64{}
	for _, s := range all {
		for i := 1; i < len(s.Values); i++ {
			before, now := s.Values[i-1], s.Values[i]
			if before.ms < from.UnixMilli() || now.ms > to.UnixMilli() {
				continue
			}
			if now.value < before.value {
				before.value = 0
			}
			sums[s.Metric[label]] += now.value - before.value
		}
	}
	return sums
}

// A user installs the exporter with a look-back, writes the history of three days while a
// Prometheus scrapes it, imports it by promtool, and starts that Prometheus anew: each hour has
// what was requested in it, and so has the time over the seam. The run that wrote it was killed in
// between, and wrote the same bytes as one that was not.
func TestBackfill(t *testing.T) {
	t.Parallel()
	const key = "the key of the token ids of a test"
	tools.Binary(t) // built now, not while time runs
	begun := time.Now()
	first := begun.Add(-3 * 24 * time.Hour).Truncate(time.Hour)
	// Traffic ends when it has been seen to go on: what is counted live is that of the look-back, too.
	ends := begun.Add(12 * time.Second)
	sim := simulator.New(simulator.Config{Seed: 9, Tokens: 12, TokenLife: 8 * time.Hour, Rate: 40, Begin: first, End: ends, Immediate: true})
	dir := t.TempDir()
	abs := newPausingABS(filepath.Join(dir, "killed"))
	flags := startABS(t, sim, abs.before)
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags = append(append(flags, keyFiles(t, "abs_ak", "abs_sk")...),
		"--series.token-key-file="+keyFile, "--state.dir="+filepath.Join(dir, "state"), "--series.max-values=1000")

	address := tools.FreeAddress(t)
	prom := startPrometheus(t, address)
	live := start(t, nil, append([]string{
		"serve", "--web.listen-address=" + address, "--collect.lookback=2h", "--collect.interval=6s", "--collect.reread=6s", "--no-forensics.enabled", "--abs.rate=1000",
	}, flags...)...)
	live.serving(t)
	served := time.Now()
	until(t, "Prometheus has the live counters", func() bool {
		return prom.total("abs_requests_total", time.Now()) > 0
	})

	history := backfilled(t, dir, abs, append(flags, "--from="+first.Format(time.RFC3339), "--label=job=abs", "--label=instance="+address))
	m := regexp.MustCompile(`abs_requests_total\{[^}]*\} [0-9]+ ([0-9]+)\n# HELP`).FindSubmatch(history)
	if m == nil {
		t.Fatal("the totals are not where they are expected")
	}
	seconds, _ := strconv.ParseInt(string(m[1]), 10, 64)
	seam := time.Unix(seconds, 0)
	if earliest, latest := begun.Add(-2*time.Hour-2*time.Minute), served.Add(-2*time.Hour+time.Minute); seam.Before(earliest) || seam.After(latest) {
		t.Errorf("the history ends at %v, and the look-back of two hours began between %v and %v", seam, begun, served)
	}

	file := filepath.Join(dir, "history.om")
	if err := os.WriteFile(file, history, 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the traffic is counted", func() bool {
		// A series that begins is 0 for a while, when the total counts it already.
		sums := prom.query(`sum by (__name__) ({__name__=~"abs_.*requests_total",target="test",token!="_other"})`, time.Now())
		sums = slices.DeleteFunc(sums, func(s stored) bool { return s.Value.value != float64(sim.TruthRequests(seam, ends)) })
		return time.Now().After(ends) && len(sums) == len(requestFamilies)
	})
	prom.stop()
	if out, err := exec.Command(tools.Path(t, "promtool"), "tsdb", "create-blocks-from", "--max-block-duration=24h", "openmetrics", file, prom.data()).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	prom.start()

	b := newBooks(t, prom, sim, key)
	hour := first
	for ; !hour.Add(time.Hour).After(seam); hour = hour.Add(time.Hour) {
		b.compare(hour, hour.Add(time.Hour))
	}
	if n := int(hour.Sub(first).Hours()); n < 69 {
		t.Errorf("only %d hours were compared", n)
	}
	b.compare(hour, b.newest) // over the seam, all that was counted live included
	b.compare(first, b.newest)
	t.Logf("%d bytes; it took %v", len(history), time.Since(begun).Round(time.Second))
}

// requestFamilies are the counters that backfill writes by default.
var requestFamilies = []string{
	"abs_requests_total", "abs_token_requests_total", "abs_method_requests_total", "abs_api_requests_total", "abs_device_requests_total",
	"abs_token_method_requests_total", "abs_token_api_requests_total", "abs_token_device_requests_total",
}

// books is all that a Prometheus has stored of the request counters.
type books struct {
	t        *testing.T
	prom     *realPrometheus
	sim      *simulator.Simulator
	key      string // of the token ids
	families map[string][]stored
	newest   time.Time // sample
}

func newBooks(t *testing.T, prom *realPrometheus, sim *simulator.Simulator, key string) *books {
	t.Helper()
	now := time.Now()
	b := &books{t: t, prom: prom, sim: sim, key: key, families: map[string][]stored{}}
	for _, name := range requestFamilies {
		b.families[name] = prom.query(name+"[1w]", now)
	}
	totals := b.families["abs_requests_total"]
	if len(totals) != 1 {
		t.Fatalf("abs_requests_total has %d series: the history and the live counters are not one", len(totals))
	}
	b.newest = time.UnixMilli(totals[0].Values[len(totals[0].Values)-1].ms)
	return b
}

// compare compares the increase from a sample to a sample with what was requested.
func (b *books) compare(from, to time.Time) {
	b.t.Helper()
	truth := b.sim.Truth(from, to)
	// A range does not have its very begin, so it is a millisecond longer.
	expr := fmt.Sprintf("increase(abs_requests_total[%dms])", to.Sub(from).Milliseconds()+1)
	if got := math.Round(b.prom.total(expr, to)); got != float64(truth.Requests) {
		b.t.Errorf("%s from %v on is %v, requested were %d", expr, from.UTC(), got, truth.Requests)
	}
	tokens := map[string]int64{}
	for token, totals := range truth.ByToken {
		tokens[tools.TokenID(b.key, token)] = totals.Requests
	}
	for label, want := range map[string]map[string]int64{"token": tokens, "method": truth.ByMethod, "api": truth.ByAPI, "device": tools.Families(truth.ByDevice)} {
		for _, family := range []string{"abs_" + label + "_requests_total", "abs_token_" + label + "_requests_total"} {
			all, ok := b.families[family]
			if !ok { // a token has no token
				continue
			}
			if wrong := difference(increase(all, label, from, to), want); len(wrong) > 0 {
				b.t.Errorf("%s by %s from %v to %v:\n%s", family, label, from.UTC(), to.UTC(), strings.Join(wrong[:min(len(wrong), 5)], "\n"))
			}
		}
	}
}

// pausingABS answers no more from when a run of backfill has kept three parts in its work directory
// until it is resumed, so that the run can be killed in between at any speed of the machine.
type pausingABS struct {
	work    string
	resumed chan struct{}
	asked   atomic.Int64 // requests
}

func newPausingABS(work string) *pausingABS {
	return &pausingABS{work: work, resumed: make(chan struct{})}
}

func (p *pausingABS) before(abs http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		if p.keptParts() {
			select {
			case <-p.resumed:
			case <-r.Context().Done():
				return
			}
		}
		abs.ServeHTTP(w, r)
	})
}

func (p *pausingABS) keptParts() bool {
	parts, err := filepath.Glob(filepath.Join(p.work, "*.part"))
	return err == nil && len(parts) >= 3
}

// backfilled writes the history twice: in one go, and killed in between. It returns the text.
func backfilled(t *testing.T, dir string, abs *pausingABS, flags []string) []byte {
	t.Helper()
	const fast = "--abs.rate=1000"
	run := func(name string, args ...string) *process {
		return start(t, nil, append(append([]string{"backfill", "--work-dir=" + filepath.Join(dir, name)}, args...), flags...)...)
	}
	whole := run("whole", "--output=-", fast)
	if status := whole.status(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}
	out := filepath.Join(dir, "killed.om")
	killed := run("killed", "--output="+out, fast)
	until(t, "some of it is kept", abs.keptParts)
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.status(t)
	close(abs.resumed)
	if _, err := os.Stat(out); err == nil {
		t.Fatal("it was not killed in between")
	}
	before := abs.asked.Load()
	resumed := run("killed", "--output="+out, fast)
	if status := resumed.status(t); status != 0 {
		t.Fatalf("the resumed run ended with status %d", status)
	}
	if n := abs.asked.Load() - before; n > 430-3*12+200 { // the live exporter asks meanwhile
		t.Errorf("%d requests of the resumed run", n)
	}
	text, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(text, []byte(whole.stdout.String())) {
		t.Errorf("the run that was killed wrote %d bytes, the other one %d; %v", len(text), len(whole.stdout.String()), err)
	}
	if !strings.Contains(whole.stderr.String(), "promtool tsdb create-blocks-from --max-block-duration=24h openmetrics FILE") {
		t.Error("it does not say how to import it")
	}
	for _, kept := range []string{"whole", "killed"} {
		if _, err := os.Stat(filepath.Join(dir, kept)); err == nil {
			t.Errorf("%s is left", kept)
		}
	}
	return text
}
