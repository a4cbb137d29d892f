package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/test/bench/readers"
)

// readers times readers of the same report in memory, interleaved, in one process.
func (c *comparison) readers(ctx context.Context) error {
	path, _, err := report(c.dir, c.small, c.seed)
	if err != nil {
		return err
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	own, err := readers.NewOwn()
	if err != nil {
		return err
	}
	var library readers.Jsontext
	drop := func(*abs.Row) error { return nil }
	rows := func(s abs.Summary, err error) (int, error) { return int(s.Rows), err }
	all := []struct {
		name string
		read func(io.Reader) (int, error)
	}{
		{"the exporter's", func(r io.Reader) (int, error) { return rows(own.Read(r, drop)) }},
		{"jsontext, bare", func(r io.Reader) (int, error) { return rows(library.Read(r, drop)) }},
		{"jsontext behind the filter", func(r io.Reader) (int, error) { return rows(library.Read(readers.NewFilter(r), drop)) }},
		{"encoding/json, row by row, bare", readers.StandardRows},
		{"encoding/json, all at once, bare", readers.StandardAtOnce},
	}
	took := make([][]time.Duration, len(all))
	allocs, bytesOf := make([]uint64, len(all)), make([]uint64, len(all))
	for range c.runs {
		for i, r := range all {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := time.Now()
			n, err := r.read(bytes.NewReader(body))
			took[i] = append(took[i], time.Since(began))
			runtime.ReadMemStats(&after)
			if err != nil || n != c.small {
				return fmt.Errorf("%s: %d rows, %w", r.name, n, err)
			}
			allocs[i], bytesOf[i] = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
		}
	}
	fmt.Printf("\nreaders on the report of %d tokens, %.1f MB, from memory\n\n| reader | speed | allocations a token | bytes allocated a token |\n|---|---:|---:|---:|\n",
		c.small, float64(len(body))/1e6)
	for i, r := range all {
		m := medianOf(took[i])
		fmt.Printf("| %s | %.0f MB/s | %.2f | %.0f |\n", r.name, float64(len(body))/1e6/m.Seconds(),
			float64(allocs[i])/float64(c.small), float64(bytesOf[i])/float64(c.small))
	}
	return nil
}
