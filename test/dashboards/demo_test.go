package dashboards

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/abs-exporter/abs-exporter/test/promtest"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// patience is only used up by a test that fails.
const patience = 3 * time.Minute

// database is a Prometheus that scrapes or receives pushes.
type database interface {
	// Query returns the result of an instant query.
	Query(expr string, at time.Time) promql.Vector
	// Until calls done until it returns true; when ctx ends first, the test has failed.
	Until(ctx context.Context, what string, done func() bool)
}

// Each query of each panel returns data with the labels that its legend and its columns name: with
// active attacks, and where there never was one; scraped, and pushed.
func TestEachPanelHasData(t *testing.T) {
	scraped := func(t *testing.T, flags ...string) (database, func()) {
		url, kill := demo(t, flags...)
		return promtest.Start(t, url+"metrics", time.Second), kill
	}
	pushed := func(t *testing.T, flags ...string) (database, func()) {
		p := startReceiver(t)
		_, kill := demo(t, append(flags, "--otlp.endpoint="+p.url+"/api/v1/otlp", "--otlp.protocol=http/protobuf", "--otlp.logs=false")...)
		return p, kill
	}
	for _, tc := range []struct {
		name    string
		attacks bool
		start   func(*testing.T, ...string) (database, func())
		flags   []string
	}{
		{"attacks under way", true, scraped, nil},
		{"no attack ever", false, scraped, []string{"--simulate.attack-every=0s"}},
		{"attacks under way, pushed", true, pushed, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p, kill := tc.start(t, tc.flags...)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for _, d := range loadProm(t) {
				values := chosen(ctx, t, p, d, tc.attacks)
				for _, panel := range d.Panels {
					for _, q := range panel.Targets {
						if !needsMore(panel, q, tc.attacks) {
							hasData(ctx, t, p, d, panel, q, values)
						}
					}
				}
			}
			if got := p.Query("sum(abs_attack_tokens)", time.Now()); (len(got) > 0) != tc.attacks {
				t.Errorf("there were attacks: %v, want %v", len(got) > 0, tc.attacks)
			}
			kill()
			if _, scrapes := p.(*promtest.Prometheus); scrapes { // what was pushed remains for 5 minutes
				p.Until(ctx, "the exporter is known to be gone", func() bool { return len(p.Query("abs_up", time.Now())) == 0 })
				nothingIsClear(t, p)
			}
		})
	}
}

// needsMore reports whether a query has no data in a short demo: it needs a week, recording rules,
// or attacks.
func needsMore(p panel, q query, attacks bool) bool {
	if strings.Contains(q.Expr, "offset 1w") && q.Range || strings.Contains(q.Expr, "target_api:") {
		return true
	}
	if attacks {
		return false
	}
	// Beside the severity, for which there is a line that says none.
	details := p.Type == "table" && slices.Contains(p.columns(), "Severity") && q.RefID != "A"
	return details && strings.Contains(q.Expr, "abs_") || p.Type == "state-timeline" && q.RefID == "A"
}

// nothingIsClear fails the test for every number that is green, and every line of a table, though
// the exporter is gone.
func nothingIsClear(t *testing.T, p database) {
	t.Helper()
	n := 0
	for _, d := range loadProm(t) {
		for _, panel := range d.Panels {
			if panel.Type != "stat" && panel.Type != "table" {
				continue
			}
			n++
			for _, q := range panel.Targets {
				for _, s := range p.Query(fill(q.Expr, defaults()), time.Now()) {
					if panel.clear(t, q, s.F) {
						t.Errorf("%s: the exporter is gone, and %q shows %s %g", d.UID, panel.Title, s.Metric, s.F)
					}
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d panels were checked", n)
	}
}

// hasData waits until there is an answer, as some series need a few cycles.
func hasData(ctx context.Context, t *testing.T, p database, d dashboard, panel panel, q query, values map[string]string) {
	t.Helper()
	expr := fill(strings.ReplaceAll(q.Expr, "$__range:$__interval", "1h:5s"), values) // the demo is young
	var got promql.Vector
	p.Until(ctx, fmt.Sprintf("%s: %q: %s returns data: %s", d.UID, panel.Title, q.RefID, expr), func() bool {
		got = p.Query(expr, time.Now())
		// A table may show "–", and a tile a text; a line of NaN alone is no line.
		nan := panel.Type == "table" || texts(t, panel.FieldConfig.Defaults.Mappings)["nan"].Color == "#6A736F"
		return slices.ContainsFunc(got, func(s promql.Sample) bool { return nan || !math.IsNaN(s.F) })
	})
	for _, s := range got {
		for _, m := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
			if !s.Metric.Has(m[1]) {
				t.Errorf("%s: %q: %s has no label %s, which the legend names: %s", d.UID, panel.Title, q.RefID, m[1], s.Metric)
			}
		}
	}
	if panel.Type == "stat" && len(got) != 1 && !strings.Contains(q.LegendFormat, "severity") {
		t.Errorf("%s: %q shows one of %d numbers", d.UID, panel.Title, len(got))
	}
	names := map[string]bool{}
	for _, s := range got {
		name := fill(legendLabel.ReplaceAllString(q.LegendFormat, "$${$1}"), s.Metric.Map())
		if panel.Type != "table" && names[name] {
			t.Errorf("%s: %q: two series are called %q", d.UID, panel.Title, name)
		}
		names[name] = true
	}
}

// chosen returns the values of the variables as the dashboard opens, found as Grafana finds them.
func chosen(ctx context.Context, t *testing.T, p database, d dashboard, attacks bool) map[string]string {
	t.Helper()
	values := defaults()
	for _, v := range d.Templating.List {
		q, ok := v.prom(t)
		if !ok || (v.Name == "attack_type" && !attacks) {
			continue // without an attack, All is the only choice
		}
		exprs, label := questions(t, q)
		var found []string
		p.Until(ctx, d.UID+": the variable "+v.Name+" has values", func() bool {
			for _, expr := range exprs {
				for _, s := range p.Query(fill(expr, values), time.Now()) {
					if text := s.Metric.Get(label); text != "" && !slices.Contains(found, text) {
						found = append(found, text)
					}
				}
			}
			return len(found) > 0
		})
		if !v.IncludeAll {
			values[v.Name] = found[0]
		}
		t.Logf("%s: %s: %d values, first %s", d.UID, v.Name, len(found), found[0])
	}
	values["token"] = aToken(ctx, t, p, attacks)
	return values
}

// aToken returns a token of the window, a flagged one if there are attacks.
func aToken(ctx context.Context, t *testing.T, p database, attacks bool) (token string) {
	t.Helper()
	expr := "topk(1, abs_token_window_requests)"
	if attacks {
		expr = "topk(1, abs_token_window_requests and on (token) abs_token_attack_active == 1)"
	}
	p.Until(ctx, "there is a token", func() bool {
		for _, s := range p.Query(expr, time.Now()) {
			token = s.Metric.Get("token")
		}
		return token != ""
	})
	return token
}

// demo runs the demo until the test ends or calls kill, and returns its address. Slots settle in a
// minute, so that there is an audit at once.
func demo(t *testing.T, flags ...string) (url string, kill func()) {
	t.Helper()
	out := tools.NewOutput()
	cmd := exec.Command(tools.Binary(t), append([]string{
		"demo", "--web.listen-address=127.0.0.1:0", "--collect.interval=2s", "--collect.slot=1m", "--collect.settle=1m",
		"--audit.interval=20s", "--forensics.rate=50",
	}, flags...)...)
	cmd.Stdout, cmd.Stderr = out, t.Output()
	cmd.Dir = t.TempDir()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ABS_EXPORTER_") && !strings.HasPrefix(v, "OTEL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // it has nothing to lose
		_ = cmd.Wait()         // it was killed
	})
	t.Cleanup(kill)
	return out.Find(t, patience, `status page +(http://\S+)`), kill
}

// Where ABS never answered, no number and no table about attacks is clear, though the exporter is
// there: "unknown" is what they show.
func TestUnknownIsNotClear(t *testing.T) {
	t.Parallel()
	p := promtest.Start(t, unreachable(t)+"metrics", time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p.Until(ctx, "a cycle has failed", func() bool {
		up := p.Query("abs_up", time.Now())
		return len(up) == 1 && up[0].F == 0 && len(p.Query("abs_requests_total", time.Now())) == 1
	})
	if got := p.Query("abs_flagged_tokens", time.Now()); len(got) > 0 {
		t.Errorf("nobody knows, and there is %s", got)
	}
	n := 0
	for _, d := range loadProm(t) {
		for _, panel := range d.Panels {
			about := strings.ToLower(panel.Title)
			if panel.Type != "stat" && panel.Type != "table" ||
				!strings.Contains(about, "flagged") && !strings.Contains(about, "attack") && !strings.Contains(about, "anomal") {
				continue
			}
			n++
			for _, q := range panel.Targets {
				for _, s := range p.Query(fill(q.Expr, defaults()), time.Now()) {
					if panel.clear(t, q, s.F) {
						t.Errorf("%s: nobody knows, and %q shows %s %g", d.UID, panel.Title, s.Metric, s.F)
					}
				}
			}
		}
	}
	if n < 6 {
		t.Errorf("only %d panels were checked", n)
	}
}

// unreachable runs the exporter on an ABS that is not there, and returns its address.
func unreachable(t *testing.T) (url string) {
	t.Helper()
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("some-key"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := tools.FreeAddress(t)
	url = "http://" + address + "/"
	tools.Start(t, patience, url, tools.Binary(t), "serve", "--web.listen-address="+address, "--collect.interval=2s",
		"--abs.url=http://127.0.0.1:9", "--abs.timezone=UTC", "--abs.access-key-file="+key, "--abs.secret-key-file="+key, "--state.dir=")
	return url
}
