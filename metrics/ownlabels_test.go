package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestWrongOwnLabels(t *testing.T) {
	many := map[string]string{}
	for i := range MaxOwnLabels + 1 {
		many[fmt.Sprint("label", i)] = "x"
	}
	for name, test := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"none":             {nil, ""},
		"plain":            {map[string]string{"env": "prod", "Team_2": "ö \"quoted\""}, ""},
		"no name":          {map[string]string{"": "x"}, `"" is no name of a label: it begins with a letter, goes on with letters, digits and _, and has 64 characters at most`},
		"a hyphen":         {map[string]string{"my-env": "x"}, `"my-env" is no name of a label: it begins with a letter, goes on with letters, digits and _, and has 64 characters at most`},
		"internal":         {map[string]string{"__name__": "x"}, `"__name__" is no name of a label: it begins with a letter, goes on with letters, digits and _, and has 64 characters at most`},
		"of Prometheus":    {map[string]string{"instance": "x", "job": "y"}, "the label \"instance\" is reserved for Prometheus\nthe label \"job\" is reserved for Prometheus"},
		"of a histogram":   {map[string]string{"le": "x"}, `the label "le" is reserved for Prometheus`},
		"of every series":  {map[string]string{"target": "x"}, `the label "target" is one of the exporter's own`},
		"of one family":    {map[string]string{"severity": "x"}, `the label "severity" is one of the exporter's own`},
		"of an event":      {map[string]string{"apis": "x"}, `the label "apis" is one of the exporter's own`},
		"without a value":  {map[string]string{"env": ""}, `the label "env" has no value`},
		"a value too long": {map[string]string{"env": strings.Repeat("x", 129)}, `the label "env" has 129 bytes; 128 are allowed`},
		"not UTF-8":        {map[string]string{"env": "\xff"}, `the label "env" is not UTF-8`},
		"too many":         {many, "at most 16 labels are allowed but there are 17"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := CheckOwnLabels(test.labels); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A target's own labels are on its series in snapshots and in the registry, and on no other
// target's; with other labels the next scrape has other series.
func TestOwnLabelsAreOnEverySeries(t *testing.T) {
	reg := prometheus.NewRegistry()
	health := NewHealth(reg)
	e := NewExposition(reg, Options{})
	publish := func(target string, labels map[string]string) {
		e.Publish(target, &Snapshot{Labels: NewOwnLabels(labels), Blocks: []Block{
			{Requests, []Sample{{NewSeries(Requests, time.Time{}, target), 7}}},
		}})
		health.Up.WithLabelValues(target).Set(1)
	}
	scraped := func() string {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		var lines []string
		for line := range strings.Lines(w.Body.String()) {
			if !strings.HasPrefix(line, "#") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	publish("shop", map[string]string{"zone": "eu", "env": `"prod"`})
	publish("test", nil)
	for range 2 { // the registry's own labels stay as they are
		if got, want := scraped(), `abs_requests_total{target="shop",env="\"prod\"",zone="eu"} 7
abs_requests_total{target="test"} 7
abs_up{target="shop",env="\"prod\"",zone="eu"} 1
abs_up{target="test"} 1
`; got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
	publish("shop", map[string]string{"env": "dev"})
	if got := scraped(); !strings.Contains(got, `abs_up{target="shop",env="dev"} 1`) || strings.Contains(got, "zone") {
		t.Errorf("with other labels:\n%s", got)
	}
}
