package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// The kinds of servers that are scraped.
const (
	kindExposition = "exposition"    // what the exporter serves, followed by its own health
	kindCollector  = "client_golang" // const metrics from memory, promhttp
	kindStatic     = "static"        // a file
)

// serveScraped serves series that do not change.
func serveScraped(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("scraped", flag.ContinueOnError)
	kind := flags.String("kind", kindExposition, "exposition, client_golang or static")
	n := flags.Int("series", 100_000, "how many series")
	file := flags.String("file", "", "what is served statically; with the suffix .gz to clients that accept gzip")
	secure := flags.Bool("tls", false, "speak HTTPS")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx = untilParentEnds(ctx, nil)
	handler := staticFile(*file)
	switch *kind {
	case kindExposition:
		registry := metrics.NewRegistry(metrics.ReadBuild("bench", ""))
		metrics.NewHealth(registry).Init(targetName)
		e := metrics.NewExposition(registry, metrics.Options{Registerer: registry})
		e.Publish(targetName, manySeries(*n))
		handler = e
	case kindCollector:
		registry := prometheus.NewRegistry()
		registry.MustRegister(newConstMetrics(*n))
		handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	}
	addr, end, err := serveMetrics(ctx, handler, *secure)
	if err != nil {
		return err
	}
	return errors.Join(send(hello{Addr: addr}), end())
}

func staticFile(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := name
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		if r.Header.Get("Accept-Encoding") == "gzip" {
			name += ".gz"
			w.Header().Set("Content-Encoding", "gzip")
		}
		f, err := os.Open(name)
		if err != nil {
			http.Error(w, "no file", http.StatusInternalServerError)
			return
		}
		defer f.Close() //nolint:errcheck // it was only read
		http.ServeContent(w, r, "", time.Time{}, f)
	})
}

// methodsOf returns the methods of each token of manySeries.
func methodsOf() []string { return []string{"GET", "PUT", "POST", "DELETE"} }

// ids returns token ids, the same for all kinds.
func ids(n int) []string {
	random := rand.New(rand.NewPCG(1, 2)) // #nosec G404 -- to repeat, not to be secret
	all := make([]string, (n+3)/4)
	for i := range all {
		all[i] = fmt.Sprintf("%016x", random.Uint64())
	}
	return all
}

func manySeries(n int) *metrics.Snapshot {
	b := metrics.Block{Family: metrics.TokenMethodRequests}
	created := time.Now()
	for i, id := range ids(n) {
		for j, method := range methodsOf() {
			b.Samples = append(b.Samples, metrics.Sample{
				Series: metrics.NewSeries(b.Family, created, targetName, id, method), Value: int64(1000*i + j),
			})
		}
	}
	return &metrics.Snapshot{Blocks: []metrics.Block{b}}
}

type constMetrics struct {
	desc *prometheus.Desc
	ids  []string
}

func newConstMetrics(n int) *constMetrics {
	f := metrics.TokenMethodRequests
	return &constMetrics{prometheus.NewDesc(f.Name, f.Help, f.Labels, nil), ids(n)}
}

// Describe implements prometheus.Collector.
func (c *constMetrics) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c *constMetrics) Collect(ch chan<- prometheus.Metric) {
	for i, id := range c.ids {
		for j, method := range methodsOf() {
			ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(1000*i+j), targetName, id, method)
		}
	}
}

// scraper returns a client that keeps its connection, as Prometheus does.
func scraper() (*http.Client, func()) {
	transport := &http.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, // #nosec G402 -- our own server, on loopback
	}
	return &http.Client{Transport: transport}, transport.CloseIdleConnections
}

// keep scrapes once and writes the page to a file.
func keep(ctx context.Context, addr, name string, gzip bool) error {
	client, done := scraper()
	defer done()
	f, err := os.Create(name) // #nosec G304 -- in our own directory
	if err != nil {
		return err
	}
	_, err = scrapeBy(ctx, client, addr, gzip, func(r io.Reader) (int64, error) { return io.Copy(f, r) })
	return errors.Join(err, f.Close())
}
