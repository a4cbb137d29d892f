package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	scrapedSeries  = 100_000
	scrapesOfOurs  = 20 // for one of client_golang's, which lasts that much longer
	crowdTracked   = 12_600
	warmUps        = 6                     // cycles until as many slots are open as ever
	crowdDelay     = 50 * time.Millisecond // into the cycle
	plainName      = "plain"
	compressedName = "gzip"
)

// ways are the ways in which every server is scraped.
func ways() []way {
	return []way{
		{plainName, false, false},
		{compressedName, true, false},
		{plainName + ", TLS", false, true},
		{compressedName + ", TLS", true, true},
	}
}

type way struct {
	name         string
	gzip, secure bool
}

// scraped is a server of a kind, scraped in one way.
type scraped struct {
	way
	client *http.Client
	addr   string
	times  int // how often in each run
	took   []time.Duration
	size   int64
}

// run scrapes the server. The first run, which connects and renders, does not count.
func (s *scraped) run(ctx context.Context, first bool) (err error) {
	for range s.times {
		began := time.Now()
		if s.size, err = scrapeBy(ctx, s.client, s.addr, s.gzip, copying); err != nil {
			return err
		}
		if !first {
			s.took = append(s.took, time.Since(began))
		}
	}
	return nil
}

// scrape times single scrapes over loopback: of the exporter's exposition, of client_golang's
// collector, and of a file with the same bytes.
func (c *comparison) scrape(ctx context.Context) (err error) {
	kinds := []string{kindExposition, kindStatic, kindCollector}
	servers := make([][]*scraped, len(kinds)) // of a kind, in the order of ways
	var ends []func() error
	defer func() {
		for _, end := range ends {
			err = errors.Join(err, end())
		}
	}()
	for k, kind := range kinds {
		for _, secure := range []bool{false, true} {
			started, end, err := startScraped(ctx, kind, secure, filepath.Join(c.dir, "metrics.txt"))
			ends = append(ends, end)
			if err != nil {
				return err
			}
			servers[k] = append(servers[k], started...)
		}
	}
	for run := range c.runs + 1 {
		for _, s := range slices.Concat(servers...) {
			if err := s.run(ctx, run == 0); err != nil {
				return err
			}
		}
	}
	printScrapes(kinds, servers)
	return nil
}

// startScraped starts one server and makes a client for each way to scrape it. The exposition's
// page becomes the file of the static server. The caller has to call end in any case.
func startScraped(ctx context.Context, kind string, secure bool, file string) (servers []*scraped, end func() error, err error) {
	p, err := start(ctx, "scraped", "-kind", kind, "-series", fmt.Sprint(scrapedSeries), "-file", file, fmt.Sprintf("-tls=%v", secure))
	if err != nil {
		return nil, func() error { return nil }, err
	}
	end = func() error {
		for _, s := range servers {
			s.client.CloseIdleConnections()
		}
		_, err := p.end(nil)
		return err
	}
	var h hello
	if err := p.receive(&h); err != nil {
		return nil, end, err
	}
	if kind == kindExposition && !secure {
		if err := errors.Join(keep(ctx, h.Addr, file, false), keep(ctx, h.Addr, file+".gz", true)); err != nil {
			return nil, end, err
		}
	}
	times := scrapesOfOurs
	if kind == kindCollector {
		times = 1
	}
	for _, w := range ways() {
		if w.secure == secure {
			client, _ := scraper()
			servers = append(servers, &scraped{way: w, client: client, addr: h.Addr, times: times})
		}
	}
	return servers, end, nil
}

func printScrapes(kinds []string, servers [][]*scraped) {
	fmt.Printf("\none scrape of %d series over loopback\n\n| server |", scrapedSeries)
	for _, way := range ways() {
		fmt.Printf(" %s |", way.name)
	}
	fmt.Printf(" bytes plain | bytes gzip |\n|---|%s\n", strings.Repeat("---:|", len(ways())+2))
	for k, kind := range kinds {
		fmt.Printf("| %s |", kind)
		for _, s := range servers[k] {
			fmt.Printf(" %s |", milliseconds(medianOf(s.took)))
		}
		fmt.Printf(" %d | %d |\n", servers[k][0].size, servers[k][1].size)
	}
	for k, kind := range kinds[1:] {
		fmt.Printf("| %s / %s |", kind, kindExposition)
		for w, s := range servers[k+1] {
			fmt.Printf(" %.2f |", float64(medianOf(s.took))/float64(medianOf(servers[0][w].took)))
		}
		fmt.Println(" | |")
	}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

// crowd runs many scrapers at once during a cycle, and then as many on a file server beside the
// same cycle.
func (c *comparison) crowd(ctx context.Context) error {
	for _, secure := range []bool{false, true} {
		if !secure || c.wants("tls") {
			if err := c.crowdOf(ctx, secure); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparison) crowdOf(ctx context.Context, secure bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.withABS(ctx, c.small, 1000, true, secure, func(abs *hello, _ int64) error {
		args := []string{"exporter", "-cycles", "-tracked", fmt.Sprint(crowdTracked), "-url", abs.Addr}
		how := "HTTP"
		if secure {
			args, how = append(args, "-fingerprint", abs.Fingerprint), "HTTPS"
		}
		exporter, err := start(ctx, args...)
		if err != nil {
			return err
		}
		defer exporter.end(nil) //nolint:errcheck // it has served
		var ours, static hello
		if err := exporter.receive(&ours); err != nil {
			return err
		}
		for range warmUps {
			if _, _, err := c.crowdOnce(ctx, exporter, "", false); err != nil {
				return err
			}
		}
		file := filepath.Join(c.dir, "crowd.txt")
		server, err := start(ctx, "scraped", "-kind", kindStatic, "-file", file)
		if err != nil {
			return err
		}
		defer server.end(nil) //nolint:errcheck // it has served
		if err := server.receive(&static); err != nil {
			return err
		}
		fmt.Printf("\n%d scrapers at once, %v into a cycle that reads %d tokens as often as slots are open, and the window, by %s, and tracks %d\n\n| who serves | how | all are served in | the cycle takes |\n|---|---|---:|---:|\n",
			c.scrapes, crowdDelay, c.small, how, crowdTracked)
		for _, gzip := range []bool{false, true} {
			if err := c.crowdBy(ctx, exporter, ours.Addr, static.Addr, file, gzip); err != nil {
				return err
			}
		}
		if info, err := os.Stat(file); err == nil {
			fmt.Printf("\neach of the %d gets %.1f MB plain\n", c.scrapes, float64(info.Size())/1e6)
		}
		return nil
	})
}

// crowdBy runs the scrapers on nobody, the exporter and a file server, and prints their rows.
func (c *comparison) crowdBy(ctx context.Context, exporter *process, ours, static, file string, gzip bool) error {
	how := plainName
	if gzip {
		how = compressedName
	}
	var took, cycle [3][]time.Duration
	for range c.runs {
		for i, addr := range []string{"", ours, static} {
			// All serve what the cycle before has committed, rendered already: these scrapes do
			// that.
			if err := errors.Join(keep(ctx, ours, file, false), keep(ctx, ours, file+".gz", true)); err != nil {
				return err
			}
			t, cy, err := c.crowdOnce(ctx, exporter, addr, gzip)
			if err != nil {
				return err
			}
			took[i], cycle[i] = append(took[i], t), append(cycle[i], cy)
		}
	}
	for i, name := range []string{"nobody", "the exporter", "a file server"} {
		fmt.Printf("| %s | %s | %s | %s |\n", name, how, milliseconds(medianOf(took[i])), milliseconds(medianOf(cycle[i])))
	}
	fmt.Printf("| the exporter / a file server | %s | %.2f | |\n", how, float64(medianOf(took[1]))/float64(medianOf(took[2])))
	return nil
}

// crowdOnce starts a cycle and then all scrapers at once.
func (c *comparison) crowdOnce(ctx context.Context, exporter *process, addr string, gzip bool) (served, cycle time.Duration, err error) {
	if _, err := exporter.stdin.Write([]byte("\n")); err != nil {
		return 0, 0, err
	}
	time.Sleep(crowdDelay)
	failures := make([]error, c.scrapes)
	began := time.Now()
	if addr != "" {
		var all sync.WaitGroup
		for i := range c.scrapes {
			all.Go(func() { _, failures[i] = scrape(ctx, addr, gzip, copying) })
		}
		all.Wait()
		served = time.Since(began)
	}
	var done cycled
	if err := exporter.receive(&done); err != nil {
		return 0, 0, err
	}
	return served, time.Duration(done.Took), errors.Join(failures...)
}
