package backfill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

var (
	testKey = tokenid.Key("0123456789abcdef-token-key")
	begin   = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
)

// rig is a simulated ABS and a run on its history. Nobody sleeps in it.
type rig struct {
	t     *testing.T
	sim   *simulator.Simulator
	calls int
	// before, unless nil, is called before each request, with its number; its error ends the request.
	before func(call int) error
	slept  time.Duration
	log    bytes.Buffer
	text   bytes.Buffer

	options Options
	target  Target
}

func newRig(t *testing.T, config simulator.Config, length time.Duration) *rig {
	t.Helper()
	if config.Now == nil {
		config.Now = func() time.Time { return begin.Add(length + 24*time.Hour) }
	}
	r := &rig{t: t, sim: simulator.New(config)}
	responseCap := config.ResponseCap
	if responseCap == 0 {
		responseCap = abs.DefaultResponseCap
	}
	location := config.Location
	if location == nil {
		location = time.UTC
	}
	client, err := abs.NewClient(abs.Config{
		URL: "https://abs.example.com:8080", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Rate: 1e6, Transport: r.sim.Transport(),
		Location: location, ResponseCap: responseCap,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.options = Options{
		Step: 10 * time.Minute, Key: testKey, Dir: filepath.Join(t.TempDir(), "work"), Clock: r, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	r.target = Target{
		Series: Series{
			MaxTokens: 10_000, MaxValues: 10_000, Expire: 2 * time.Hour,
			Dimensions: []counts.Dimension{counts.Method, counts.API, counts.Device},
		},
		Name: "t", URL: "https://abs.example.com:8080", ABS: asked{r, client}, Zone: ledger.Zone{Location: location},
		ResponseCap: responseCap, From: begin, To: begin.Add(length),
	}
	return r
}

// asked counts the requests.
type asked struct {
	r *rig
	ABS
}

func (a asked) Tokens(ctx context.Context, w abs.Window, row func(*abs.Row) error) (abs.Summary, error) {
	a.r.calls++
	if a.r.before != nil {
		if err := a.r.before(a.r.calls); err != nil {
			return abs.Summary{}, err
		}
	}
	return a.ABS.Tokens(ctx, w, row)
}

// Sleep implements Clock.
func (r *rig) Sleep(ctx context.Context, d time.Duration) error {
	r.slept += d
	return ctx.Err()
}

// run runs once.
func (r *rig) run(ctx context.Context) (string, error) {
	r.text.Reset()
	_, err := Run(ctx, r.options, []Target{r.target}, func() (io.Writer, func() error, error) {
		return &r.text, func() error { return nil }, nil
	})
	return r.text.String(), err
}

// written runs to the end.
func (r *rig) written() string {
	r.t.Helper()
	text, err := r.run(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

var errKilled = errors.New("killed")

// sample is a sample of the text.
type sample struct {
	ms    int64
	value int64
}

// series is the text by series.
type series map[string][]sample

var line = regexp.MustCompile(`^([a-z_]+\{.*\}) ([0-9]+) ([0-9.]+)$`)

// parse reads the text, and checks that it is OpenMetrics as far as promtool does not: families and
// series are not interleaved, and the times of a series rise.
func parse(t *testing.T, text string) series {
	t.Helper()
	all := series{}
	families := map[string]bool{}
	var family, last string
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[len(lines)-1] != "# EOF" {
		t.Fatalf("the text ends with %q", lines[len(lines)-1])
	}
	for _, l := range lines[:len(lines)-1] {
		if name, ok := strings.CutPrefix(l, "# TYPE "); ok {
			family, _ = strings.CutSuffix(name, " counter")
			if families[family] {
				t.Fatalf("the family %s is there twice", family)
			}
			families[family] = true
			continue
		}
		if strings.HasPrefix(l, "# ") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil || !strings.HasPrefix(l, family+"_total{") {
			t.Fatalf("in the family %s: %s", family, l)
		}
		if m[1] != last && all[m[1]] != nil {
			t.Fatalf("the series %s is interleaved", m[1])
		}
		last = m[1]
		value, err := strconv.ParseInt(m[2], 10, 64)
		seconds, err2 := strconv.ParseFloat(m[3], 64)
		if err != nil || err2 != nil {
			t.Fatal(l)
		}
		s := sample{int64(math.Round(1000 * seconds)), value}
		if of := all[last]; len(of) > 0 && of[len(of)-1].ms >= s.ms {
			t.Fatalf("time does not rise: %s", l)
		}
		all[last] = append(all[last], s)
	}
	return all
}

// increase returns what all series of a family rose in a stretch of time, by the value of a label;
// "" sums them. It counts as Prometheus does: a fall is a reset.
func (s series) increase(family, label string, from, to time.Time) map[string]int64 {
	sums := map[string]int64{}
	value := regexp.MustCompile(`[{,]` + label + `=("(?:[^"\\]|\\.)*")`)
	for name, samples := range s {
		if !strings.HasPrefix(name, family+"{") {
			continue
		}
		key := ""
		if label != "" {
			key, _ = strconv.Unquote(value.FindStringSubmatch(name)[1])
		}
		for i := 1; i < len(samples); i++ {
			if before, now := samples[i-1], samples[i]; before.ms >= from.UnixMilli() && now.ms <= to.UnixMilli() {
				if now.value < before.value {
					before.value = 0
				}
				if n := now.value - before.value; n != 0 {
					sums[key] += n
				}
			}
		}
	}
	return sums
}

// byID is requests by token id.
func byID(totals *simulator.Totals) map[string]int64 {
	sums := map[string]int64{}
	for token, t := range totals.ByToken {
		sums[testKey.ID([]byte(token)).String()] += t.Requests
	}
	return sums
}

func equal(t *testing.T, what string, got, want map[string]int64) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
