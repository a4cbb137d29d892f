package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// comparison is one run of the command.
type comparison struct {
	dir          string
	runs         int
	small, large int
	seed         uint64
	only         string
	forensicsFor time.Duration
	scrapes      int
}

func compare(ctx context.Context, args []string) error {
	c := comparison{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&c.dir, "dir", "", "where the reports are made and kept (default: a temporary directory that is removed)")
	flags.IntVar(&c.runs, "runs", 5, "how often each program runs")
	flags.IntVar(&c.small, "small", 100_000, "tokens of the report that exporter and baseline read")
	flags.IntVar(&c.large, "large", 1_000_000, "tokens of the report that the exporter reads alone")
	flags.Uint64Var(&c.seed, "seed", 1, "of the reports")
	flags.StringVar(&c.only, "only", "", "some sections only, by comma: all, top, large, tls, scrape, crowd, readers")
	flags.DurationVar(&c.forensicsFor, "forensics", 5*time.Second, "how long forensics runs in the section large")
	flags.IntVar(&c.scrapes, "scrapes", 50, "how many scrapers there are at once in the section crowd")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.dir == "" {
		dir, err := os.MkdirTemp("", "abs-exporter-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
		c.dir = dir
	} else if err := os.MkdirAll(c.dir, 0o750); err != nil {
		return err
	}
	fmt.Printf("%s, %s/%s, %d cores, %s; medians of %d interleaved runs; seed %d\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(), c.runs, c.seed)
	sections := []struct {
		name string
		run  func(context.Context) error
	}{
		{"all", c.all},
		{"top", c.top},
		{"large", c.million},
		{"scrape", c.scrape},
		{"crowd", c.crowd},
		{"readers", c.readers},
	}
	for _, p := range sections {
		if c.wants(p.name) {
			if err := p.run(ctx); err != nil {
				return fmt.Errorf("section %s: %w", p.name, err)
			}
		}
	}
	return nil
}

func (c *comparison) wants(section string) bool {
	return c.only == "" || strings.Contains(","+c.only+",", ","+section+",")
}

func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// withABS calls run with a simulated ABS and the size of its report. The window's report is that of
// the slot, or one without rows.
func (c *comparison) withABS(ctx context.Context, tokens, slots int, window, secure bool, run func(*hello, int64) error) error {
	slot, size, err := report(c.dir, tokens, c.seed)
	if err != nil {
		return err
	}
	empty, _, err := report(c.dir, 0, c.seed)
	if err != nil {
		return err
	}
	args := []string{"abs", "-slot", slot, "-window", empty, "-empty", empty, "-slots", fmt.Sprint(slots)}
	if window {
		args[4] = slot
	}
	if secure {
		args = append(args, "-tls")
	}
	p, err := start(ctx, args...)
	if err != nil {
		return err
	}
	var h hello
	err = p.receive(&h)
	if err == nil {
		err = run(&h, size)
	}
	if _, ended := p.end(nil); err == nil {
		err = ended
	}
	return err
}

func (c *comparison) all(ctx context.Context) error {
	tracked := fmt.Sprint(c.small)
	return c.table(ctx, fmt.Sprintf("%d tokens, all tracked", c.small), c.small, false, []program{
		{name: "copying the bytes", args: []string{"copy"}},
		{name: "exporter, state in memory", args: []string{"exporter", "-tracked", tracked}},
		{name: "exporter, state on disk", args: []string{"exporter", "-tracked", tracked}, state: true},
		{name: "exporter, state on disk, scraped with gzip", args: []string{"exporter", "-tracked", tracked}, state: true, gzip: true},
		{name: "the usual way, all series", args: []string{"baseline", "-variant", variantAll}},
	}, 1, 2, 4)
}

func (c *comparison) top(ctx context.Context) error {
	return c.table(ctx, fmt.Sprintf("%d tokens, 1,000 tracked", c.small), c.small, false, []program{
		{name: "copying the bytes", args: []string{"copy"}},
		{name: "exporter, state in memory", args: []string{"exporter"}},
		{name: "exporter, state on disk", args: []string{"exporter"}, state: true},
		{name: "the usual way, the 1,000 largest", args: []string{"baseline", "-variant", variantTop}},
		{name: "the same, decoding row by row", args: []string{"baseline", "-variant", variantStream}},
	}, 1, 2, 3, 4)
}

func (c *comparison) million(ctx context.Context) error {
	forensics := c.forensicsFor.String()
	return c.table(ctx, fmt.Sprintf("%d tokens, 1,000 tracked, a slot's and the window's report, forensics for %s", c.large, c.forensicsFor), c.large, true, []program{
		{name: "copying the bytes of both reports", args: []string{"copy", "-reports", "2"}},
		{name: "exporter, state on disk", args: []string{"exporter", "-forensics", forensics}, state: true, after: c.forensicsFor},
	})
}

// table runs programs over plain HTTP, and over TLS if selected, and prints a table. same are the
// indices of the programs whose series must be the same.
func (c *comparison) table(ctx context.Context, title string, tokens int, window bool, programs []program, same ...int) error {
	var plain, secure [][]figures
	var size int64
	err := c.withABS(ctx, tokens, 1, window, false, func(abs *hello, n int64) (err error) {
		size = n
		if len(same) > 0 {
			var alike []program
			for _, i := range same {
				alike = append(alike, programs[i])
			}
			series, err := verify(ctx, abs, alike, tokens == c.small && strings.Contains(title, "all tracked"))
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "the same %d series from all of them\n", series)
			title += fmt.Sprintf(", %d series", series)
		}
		plain, err = interleave(ctx, c.runs, abs, programs)
		return err
	})
	if err != nil {
		return err
	}
	if c.wants("tls") {
		err := c.withABS(ctx, tokens, 1, window, true, func(abs *hello, _ int64) (err error) {
			secure, err = interleave(ctx, c.runs, abs, programs)
			return err
		})
		if err != nil {
			return err
		}
	}
	fmt.Printf("\n%s; the report has %.1f MB\n\n", title, float64(size)/1e6)
	printFigures(programs, plain, secure)
	if len(same) > 0 {
		printRatios(programs, plain, same)
	}
	return nil
}

func printFigures(programs []program, plain, secure [][]figures) {
	fmt.Println("| program | wall | CPU | peak memory | times copying | TLS adds |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	floor := medians(plain[0])
	for i := range programs {
		m := medians(plain[i])
		tls := "not measured"
		if secure != nil {
			s := medians(secure[i])
			tls = fmt.Sprintf("%s wall, %s CPU", added(s.wall-m.wall), added(s.cpu-m.cpu))
		}
		fmt.Printf("| %s | %s | %s | %.0f MB | %.1f | %s |\n", programs[i].name, seconds(m.wall), seconds(m.cpu),
			float64(m.peak)/1e6, float64(m.wall)/float64(floor.wall), tls)
	}
}

// printRatios prints each baseline's figures as multiples of each exporter's.
func printRatios(programs []program, plain [][]figures, same []int) {
	fmt.Println("\n| ratio, in this run | wall | CPU | memory |")
	fmt.Println("|---|---:|---:|---:|")
	for _, theirs := range same {
		for _, ours := range same {
			if programs[theirs].args[0] != "baseline" || programs[ours].args[0] != "exporter" {
				continue
			}
			a, b := medians(plain[theirs]), medians(plain[ours])
			fmt.Printf("| %s / %s | %.1f | %.1f | %.1f |\n", programs[theirs].name, programs[ours].name,
				float64(a.wall)/float64(b.wall), float64(a.cpu)/float64(b.cpu), float64(a.peak)/float64(b.peak))
		}
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func added(d time.Duration) string { return fmt.Sprintf("%+.2f s", d.Seconds()) }
