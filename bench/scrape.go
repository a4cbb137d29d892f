package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	scrapedSeries  = 100_000
	scrapesOfOurs  = 20 // for one of client_golang's, which takes that much longer
	crowdListed    = 12_600
	crowdDelay     = 50 * time.Millisecond // into the cycle
	plainName      = "plain"
	compressedName = "gzip"
)

// scrape times single scrapes over loopback: of what is served from memory, of
// client_golang's collector, and of a file with the same bytes.
func (c *comparison) scrape(ctx context.Context) (err error) {
	file := filepath.Join(c.dir, "metrics.txt")
	series := fmt.Sprint(scrapedSeries)
	kinds := []string{kindExposition, kindStatic, kindCollector}
	addrs := map[string]string{}
	var servers []*process
	defer func() {
		for _, p := range servers {
			_, ended := p.end(nil)
			err = errors.Join(err, ended)
		}
	}()
	for _, kind := range kinds {
		p, err := start(ctx, "scraped", "-kind", kind, "-series", series, "-file", file)
		if err != nil {
			return err
		}
		servers = append(servers, p)
		var h hello
		if err := p.hear(&h); err != nil {
			return err
		}
		addrs[kind] = h.Addr
		if kind == kindExposition {
			if err := errors.Join(keep(ctx, h.Addr, file, false), keep(ctx, h.Addr, file+".gz", true)); err != nil {
				return err
			}
		}
	}
	fmt.Printf("\none scrape of %d series over loopback\n\n| server | %s | bytes | %s | bytes |\n|---|---:|---:|---:|---:|\n", scrapedSeries, plainName, compressedName)
	medians := map[string][2]time.Duration{}
	for _, kind := range kinds {
		var took [2]time.Duration
		var size [2]int64
		for i, gzip := range []bool{false, true} {
			if took[i], size[i], err = c.timeScrapes(ctx, kind, addrs[kind], gzip); err != nil {
				return err
			}
		}
		medians[kind] = took
		fmt.Printf("| %s | %s | %d | %s | %d |\n", kind, milliseconds(took[0]), size[0], milliseconds(took[1]), size[1])
	}
	for _, kind := range kinds[1:] {
		fmt.Printf("| %s / %s | %.2f | | %.2f | |\n", kind, kindExposition,
			float64(medians[kind][0])/float64(medians[kindExposition][0]), float64(medians[kind][1])/float64(medians[kindExposition][1]))
	}
	return nil
}

func (c *comparison) timeScrapes(ctx context.Context, kind, addr string, gzip bool) (time.Duration, int64, error) {
	n := c.runs
	if kind != kindCollector {
		n *= scrapesOfOurs
	}
	client, done := scraper()
	defer done()
	var all []time.Duration
	var size int64
	for i := range n + 1 {
		began := time.Now()
		got, err := scrapeBy(ctx, client, addr, gzip, copying)
		if err != nil {
			return 0, 0, err
		}
		if size = got; i > 0 { // the first connects, and renders
			all = append(all, time.Since(began))
		}
	}
	return median(all, func(d time.Duration) time.Duration { return d }), size, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

// crowd lets many scrapers come at once while a cycle is under way, and then the same
// many to a file server beside the same cycle.
func (c *comparison) crowd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.withABS(ctx, c.small, 1000, true, false, func(abs *hello, _ int64) error {
		exporter, err := start(ctx, "exporter", "-cycles", "-listed", fmt.Sprint(crowdListed), "-url", abs.Addr)
		if err != nil {
			return err
		}
		defer exporter.end(nil) //nolint:errcheck // it has served
		var ours, static hello
		if err := exporter.hear(&ours); err != nil {
			return err
		}
		file := filepath.Join(c.dir, "crowd.txt")
		if err := errors.Join(keep(ctx, ours.Addr, file, false), keep(ctx, ours.Addr, file+".gz", true)); err != nil {
			return err
		}
		server, err := start(ctx, "scraped", "-kind", kindStatic, "-file", file)
		if err != nil {
			return err
		}
		defer server.end(nil) //nolint:errcheck // it has served
		if err := server.hear(&static); err != nil {
			return err
		}
		fmt.Printf("\n%d scrapers at once, %v into a cycle that reads %d tokens as often as slots are open, and the window, and lists %d\n\n| who serves | how | all are served in | the cycle takes |\n|---|---|---:|---:|\n",
			c.scrapes, crowdDelay, c.small, crowdListed)
		for _, gzip := range []bool{false, true} {
			how := plainName
			if gzip {
				how = compressedName
			}
			var took [3][]time.Duration
			var cycle [3][]time.Duration
			for range c.runs {
				for i, addr := range []string{"", ours.Addr, static.Addr} {
					if addr != "" { // what is to be served was scraped before
						if _, err := scrape(ctx, addr, gzip, copying); err != nil {
							return err
						}
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

// crowdOnce begins a cycle and lets all scrapers come at once.
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
	if err := exporter.hear(&done); err != nil {
		return 0, 0, err
	}
	return served, time.Duration(done.Took), errors.Join(failures...)
}
