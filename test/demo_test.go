package test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/abs-exporter/abs-exporter/metrics"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// later returns whether the demo does not serve a family from the start: an audit needs settled
// slots, and OTLP needs a receiver.
func later(f *metrics.Family) bool {
	return f == metrics.AuditMissing || f == metrics.AuditSurplus || strings.HasPrefix(f.Name, "abs_exporter_otlp_")
}

// All families are there within ten seconds of the start, an attack and an anomaly among them, and
// no file is left behind. Not in parallel with other tests, as it measures time.
func TestDemoServesEveryFamily(t *testing.T) {
	tools.Binary(t) // built before the clock starts
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	begun := time.Now()
	d := startDemo(t)
	var missing, before []string
	for {
		page := d.get(t, "metrics")
		before, missing = missing, nil
		for _, f := range metrics.Table() {
			if !later(f) && !hasFamily(page, f.Name) {
				missing = append(missing, f.Name)
			}
		}
		for _, prefix := range []string{"go_", "process_", "promhttp_"} {
			if !strings.Contains(page, "\n"+prefix) {
				missing = append(missing, prefix+"*")
			}
		}
		if len(missing) == 0 || time.Since(begun) > 10*time.Second {
			break
		}
		<-time.After(100 * time.Millisecond)
	}
	if len(missing) > 0 {
		t.Errorf("missing %v after the start: %s", time.Since(begun), strings.Join(missing, ", "))
	}
	// The first cycle ends with the last forensics report.
	until(t, "the status page shows that ABS is up", func() bool {
		page := d.get(t, "")
		return strings.Contains(page, "demo") && strings.Contains(page, "✓ up")
	})
	if status, _ := d.terminate(t); status != 0 {
		t.Errorf("it ended with status %d", status)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("it left behind %v, %v", left, err)
	}
	t.Logf("all families after %v; at last %s", time.Since(begun).Round(time.Millisecond), strings.Join(before, ", "))
}

func hasFamily(page, name string) bool {
	return regexp.MustCompile(`(?m)^` + name + `(_count)?[{ ]`).MatchString(page)
}

func TestPromtoolFindsNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	settled(t, d)
	cmd := exec.Command(tools.Path(t, "promtool"), "check", "metrics")
	cmd.Stdin = strings.NewReader(d.get(t, "metrics"))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// Prometheus's own parsers read the same series in every format that it negotiates. The time of
// creation is in protobuf, and in OpenMetrics with the flag.
func TestFormatsHaveTheSameSeries(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		flags   []string
		created bool
	}{
		{name: "as it is"},
		{"with created lines", []string{"--web.openmetrics-created"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := startDemo(t, tc.flags...)
			settled(t, d)
			s := scrapeAll(t, &d.exporter)

			same(t, "OpenMetrics", s.openMetrics.without("_created"), s.text.series)
			same(t, "protobuf", s.protobuf.series, s.text.series)
			if tc.created {
				// This is what a Prometheus with the feature reads instead of the lines.
				same(t, "OpenMetrics without created lines", s.skipped.series, s.text.series)
			} else if n := len(s.openMetrics.series) - len(s.text.series); n != 0 {
				t.Errorf("OpenMetrics has %d series more than text", n)
			}
			if wrong := s.wrongCreated(tc.created); len(wrong) > 0 {
				t.Errorf("%d times of creation are wrong, such as\n%s", len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
			}
		})
	}
}

// wrongCreated returns what is wrong with the times of creation of counters, with and without the
// flag.
func (s *expositions) wrongCreated(flag bool) (wrong []string) {
	wrongf := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	counters, now := 0, time.Now()
	for series, family := range s.text.series {
		if f := familyOf(family); f == nil || f.Type != metrics.Counter {
			continue
		}
		counters++
		if at := time.UnixMilli(s.protobuf.created[series]); now.Sub(at) > time.Hour || at.After(now) {
			wrongf("protobuf: %s was created at %v", series, at)
		}
		if got := s.skipped.created[series] != 0; got != flag {
			wrongf("OpenMetrics: %s has a time of creation: %v", series, got)
		}
		line := strings.Replace(series, "_total", "_created", 1)
		if _, got := s.openMetrics.series[line]; got != flag {
			wrongf("OpenMetrics: %s is a line of its own: %v", line, got)
		}
		if created := s.text.created[series]; created != 0 {
			wrongf("text: %s was created at %d", series, created)
		}
	}
	if counters < 100 {
		wrongf("only %d counters were checked", counters)
	}
	return wrong
}

// settled waits until the demo shows all its families.
func settled(t *testing.T, d *demo) {
	t.Helper()
	until(t, "the demo shows an attack that began", func() bool {
		page := d.get(t, "metrics")
		return hasFamily(page, metrics.TokenAttackActive.Name) && hasFamily(page, metrics.AnomalyDetections.Name)
	})
}

// exposition is what a parser of Prometheus reads from one scrape.
type exposition struct {
	series  map[string]string // by labels: the family's name as in its TYPE line
	created map[string]int64  // milliseconds; 0: unknown
	labels  map[string]labels.Labels
}

// without returns the series less those whose names have a suffix.
func (e exposition) without(suffix string) map[string]string {
	out := maps.Clone(e.series)
	maps.DeleteFunc(out, func(series, _ string) bool {
		name, _, _ := strings.Cut(series, "{")
		return strings.HasSuffix(name, suffix)
	})
	return out
}

type expositions struct {
	text, openMetrics, protobuf exposition
	skipped                     exposition // OpenMetrics as a Prometheus with the feature for created lines reads it
}

// scrapeAll scrapes in all formats, again if the set of series has changed meanwhile.
func scrapeAll(t *testing.T, e *exporter) (s expositions) {
	t.Helper()
	read := func(p config.ScrapeProtocol, o textparse.ParserOptions) exposition {
		accept := config.ScrapeProtocolsHeaders[p]
		body, contentType := e.scrape(t, "metrics", accept)
		media, _, _ := strings.Cut(accept, ";")
		if !strings.HasPrefix(contentType, media+";") {
			t.Fatalf("asked for %s the exporter answers %s", accept, contentType)
		}
		return parse(t, []byte(body), contentType, o)
	}
	until(t, "the series stand still for a moment", func() bool {
		s.text = read(config.PrometheusText0_0_4, textparse.ParserOptions{})
		s.openMetrics = read(config.OpenMetricsText1_0_0, textparse.ParserOptions{})
		s.skipped = read(config.OpenMetricsText1_0_0, textparse.ParserOptions{OpenMetricsSkipSTSeries: true})
		s.protobuf = read(config.PrometheusProto, textparse.ParserOptions{KeepClassicOnClassicAndNativeHistograms: true})
		return maps.Equal(s.text.series, read(config.PrometheusText0_0_4, textparse.ParserOptions{}).series)
	})
	return s
}

func parse(t *testing.T, body []byte, contentType string, o textparse.ParserOptions) exposition {
	t.Helper()
	out := exposition{series: map[string]string{}, created: map[string]int64{}, labels: map[string]labels.Labels{}}
	p, err := textparse.New(body, contentType, labels.NewSymbolTable(), o)
	if err != nil {
		t.Fatalf("%s: %v", contentType, err)
	}
	// Prometheus asks for the time of creation where the feature is on. In OpenMetrics that makes
	// the parser leave the lines out, so without the option it is not asked for.
	created := o.OpenMetricsSkipSTSeries || !strings.HasPrefix(contentType, "application/openmetrics-text")
	family := ""
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", contentType, err)
		}
		switch entry {
		case textparse.EntryType:
			name, _ := p.Type()
			family = string(bytes.TrimSuffix(name, []byte("_total"))) // OpenMetrics names counters without it
		case textparse.EntrySeries:
			var ls labels.Labels
			p.Labels(&ls)
			series := seriesName(ls)
			if _, twice := out.series[series]; twice {
				t.Errorf("%s: %s is there twice", contentType, series)
			}
			out.series[series], out.labels[series] = family, ls
			if created {
				out.created[series] = p.StartTimestamp()
			}
		case textparse.EntryHistogram:
			p.Histogram() // the native one; its classic series follow once it was read
		}
	}
}

// seriesName returns a series as in text, so that it can be read in a message.
func seriesName(ls labels.Labels) string {
	return ls.Get(model.MetricNameLabel) + ls.MatchLabels(false, model.MetricNameLabel).String()
}

func familyOf(typeName string) *metrics.Family {
	for _, f := range metrics.Table() {
		if f.Name == typeName || f.Name == typeName+"_total" {
			return f
		}
	}
	return nil
}

func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	var wrong []string
	for series, family := range want {
		if of, ok := got[series]; !ok {
			wrong = append(wrong, series+" is missing")
		} else if of != family {
			wrong = append(wrong, fmt.Sprintf("%s is of the family %q instead of %q", series, of, family))
		}
	}
	for series := range got {
		if _, ok := want[series]; !ok {
			wrong = append(wrong, series+" is not in the text")
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%s: %d things are wrong, such as\n%s", what, len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
	}
}
