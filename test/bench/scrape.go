package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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

// scrape times single scrapes over loopback: of the exporter's exposition, of client_golang's
// collector, and of a file with the same bytes.
func (c *comparison) scrape(ctx context.Context) (err error) {
	file := filepath.Join(c.dir, "metrics.txt")
	kinds := []string{kindExposition, kindStatic, kindCollector}
	ways := []struct {
		name         string
		gzip, secure bool
	}{{plainName, false, false}, {compressedName, true, false}, {plainName + ", TLS", false, true}, {compressedName + ", TLS", true, true}}
	type scraped struct {
		kind, way int
		client    *http.Client
		addr      string
		took      []time.Duration
		size      int64
	}
	var all []*scraped
	var ends []func() error
	defer func() {
		for _, end := range ends {
			err = errors.Join(err, end())
		}
	}()
	for k, kind := range kinds {
		for _, secure := range []bool{false, true} {
			p, err := start(ctx, "scraped", "-kind", kind, "-series", fmt.Sprint(scrapedSeries), "-file", file, fmt.Sprintf("-tls=%v", secure))
			if err != nil {
				return err
			}
			ends = append(ends, func() error { _, err := p.end(nil); return err })
			var h hello
			if err := p.receive(&h); err != nil {
				return err
			}
			if kind == kindExposition && !secure {
				if err := errors.Join(keep(ctx, h.Addr, file, false), keep(ctx, h.Addr, file+".gz", true)); err != nil {
					return err
				}
			}
			for w, way := range ways {
				if way.secure == secure {
					client, done := scraper()
					ends = append(ends, func() error { done(); return nil })
					all = append(all, &scraped{kind: k, way: w, client: client, addr: h.Addr})
				}
			}
		}
	}
	for run := range c.runs + 1 {
		for _, s := range all {
			n := 1
			if kinds[s.kind] != kindCollector {
				n = scrapesOfOurs
			}
			for range n {
				began := time.Now()
				if s.size, err = scrapeBy(ctx, s.client, s.addr, ways[s.way].gzip, copying); err != nil {
					return err
				}
				if run > 0 { // the first connects, and renders
					s.took = append(s.took, time.Since(began))
				}
			}
		}
	}
	medians := make([][]time.Duration, len(kinds))
	sizes := make([][]int64, len(kinds))
	for k := range kinds {
		medians[k], sizes[k] = make([]time.Duration, len(ways)), make([]int64, len(ways))
	}
	for _, s := range all {
		medians[s.kind][s.way] = median(s.took, func(d time.Duration) time.Duration { return d })
		sizes[s.kind][s.way] = s.size
	}
	fmt.Printf("\none scrape of %d series over loopback\n\n| server |", scrapedSeries)
	for _, way := range ways {
		fmt.Printf(" %s |", way.name)
	}
	fmt.Printf(" bytes plain | bytes gzip |\n|---|%s\n", strings.Repeat("---:|", len(ways)+2))
	for k, kind := range kinds {
		fmt.Printf("| %s |", kind)
		for w := range ways {
			fmt.Printf(" %s |", milliseconds(medians[k][w]))
		}
		fmt.Printf(" %d | %d |\n", sizes[k][0], sizes[k][1])
	}
	for k, kind := range kinds[1:] {
		fmt.Printf("| %s / %s |", kind, kindExposition)
		for w := range ways {
			fmt.Printf(" %.2f |", float64(medians[k+1][w])/float64(medians[0][w]))
		}
		fmt.Println(" | |")
	}
	return nil
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
			how := plainName
			if gzip {
				how = compressedName
			}
			var took [3][]time.Duration
			var cycle [3][]time.Duration
			for range c.runs {
				for i, addr := range []string{"", ours.Addr, static.Addr} {
					// All serve what the cycle before has committed, rendered already: the first
					// scrape does that.
					if err := errors.Join(keep(ctx, ours.Addr, file, false), keep(ctx, ours.Addr, file+".gz", true)); err != nil {
						return err
					}
					t, cy, err := c.crowdOnce(ctx, exporter, addr, gzip)
					if err != nil {
						return err
					}
					took[i], cycle[i] = append(took[i], t), append(cycle[i], cy)
				}
			}
			same := func(d time.Duration) time.Duration { return d }
			for i, name := range []string{"nobody", "the exporter", "a file server"} {
				fmt.Printf("| %s | %s | %s | %s |\n", name, how, milliseconds(median(took[i], same)), milliseconds(median(cycle[i], same)))
			}
			fmt.Printf("| the exporter / a file server | %s | %.2f | |\n", how, float64(median(took[1], same))/float64(median(took[2], same)))
		}
		if info, err := os.Stat(file); err == nil {
			fmt.Printf("\neach of the %d gets %.1f MB plain\n", c.scrapes, float64(info.Size())/1e6)
		}
		return nil
	})
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
