package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// receiver is the pinned Prometheus, which scrapes nothing: series are pushed to its OTLP receiver.
type receiver struct {
	tb   testing.TB
	url  string
	http http.Client
}

func startReceiver(t *testing.T) *receiver {
	t.Helper()
	address, dir := tools.FreeAddress(t), t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tools.Start(t, patience, "http://"+address+"/-/ready", tools.Path(t, "prometheus"), "--config.file="+config,
		"--storage.tsdb.path="+dir, "--web.listen-address="+address, "--web.enable-otlp-receiver", "--log.level=warn")
	return &receiver{tb: t, url: "http://" + address, http: http.Client{Timeout: patience}}
}

// Query implements database.
func (r *receiver) Query(expr string, at time.Time) promql.Vector {
	r.tb.Helper()
	resp, err := r.http.PostForm(r.url+"/api/v1/query", url.Values{"query": {expr}, "time": {fmt.Sprintf("%.3f", float64(at.UnixMilli())/1000)}})
	if err != nil {
		r.tb.Fatalf("query %s: %v", expr, err)
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Type   model.ValueType `json:"resultType"`
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != "" {
		r.tb.Fatalf("query %s: %s %v", expr, answer.Error, err)
	}
	var vector model.Vector
	var scalar model.Scalar
	switch answer.Data.Type {
	case model.ValVector:
		err = json.Unmarshal(answer.Data.Result, &vector)
	case model.ValScalar:
		err = json.Unmarshal(answer.Data.Result, &scalar)
		vector = model.Vector{{Value: scalar.Value, Timestamp: scalar.Timestamp}}
	default:
		err = fmt.Errorf("the answer is a %s", answer.Data.Type)
	}
	if err != nil {
		r.tb.Fatalf("query %s: %v", expr, err)
	}
	var out promql.Vector
	for _, s := range vector {
		metric := map[string]string{}
		for name, value := range s.Metric {
			metric[string(name)] = string(value)
		}
		out = append(out, promql.Sample{T: int64(s.Timestamp), F: float64(s.Value), Metric: labels.FromMap(metric)})
	}
	return out
}

// Until implements database.
func (r *receiver) Until(ctx context.Context, what string, done func() bool) {
	r.tb.Helper()
	for !done() {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			r.tb.Fatalf("waiting until %s: %v", what, ctx.Err())
		}
	}
}
