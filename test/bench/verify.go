package main

import (
	"bufio"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// What is compared must be the same work: before anything is timed, the exporter's series are
// compared with the baseline's, series for series and value for value.

// content summarises the series of one family, in any order.
type content struct {
	series  int
	total   float64
	tracked float64 // without _other
	hash    uint64
}

// contents reads the families that both have. Series at 0, which the exporter serves for a new
// series, do not count.
func contents(seed maphash.Seed, into map[string]content) func(io.Reader) (int64, error) {
	return func(r io.Reader) (int64, error) {
		lines := bufio.NewScanner(r)
		var n int64
		for lines.Scan() {
			line := lines.Text()
			n += int64(len(line)) + 1
			name, _, _ := strings.Cut(line, "{")
			switch name {
			case "abs_token_requests_total", "abs_token_method_requests_total", "abs_token_api_requests_total", "abs_token_device_requests_total":
			default:
				continue
			}
			at := strings.LastIndexByte(line, ' ')
			value, err := strconv.ParseFloat(line[at+1:], 64)
			if err != nil {
				return n, err
			}
			if value == 0 {
				continue
			}
			c := into[name]
			c.series++
			c.total += value
			if !strings.Contains(line, `token="_other"`) {
				c.tracked += value
			}
			c.hash ^= maphash.String(seed, canonical(line[:at])+strconv.FormatFloat(value, 'f', -1, 64))
			into[name] = c
		}
		return n, lines.Err()
	}
}

// canonical returns the series with its labels in one order; their values here have neither comma
// nor quote.
func canonical(series string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	var token, target, other string
	for l := range strings.SplitSeq(labels, ",") {
		switch {
		case strings.HasPrefix(l, "token="):
			token = l
		case strings.HasPrefix(l, "target="):
			target = l
		default:
			other = l
		}
	}
	return name + target + token + other
}

// verify runs each program once, compares its series with the first one's, and returns how many the
// first has. Where not all tokens are tracked (exact is false), the programs may track different
// ones: of tokens that are equally busy, and the exporter misses one in some thousands, as its
// memory is bounded. Then there must be as many of them, with the same requests but for a
// hundredth.
func verify(ctx context.Context, abs *hello, programs []program, exact bool) (series int, err error) {
	seed := maphash.MakeSeed()
	var want map[string]content
	for _, p := range programs {
		got := map[string]content{}
		p.gzip = false
		if p.args[0] == "exporter" {
			p.args = append(slices.Clone(p.args), "-twice")
		}
		if _, err := p.run(ctx, abs, contents(seed, got)); err != nil {
			return 0, err
		}
		if want == nil {
			want = got
		}
		if len(got) != 4 {
			return 0, fmt.Errorf("%s serves %d of the four families", p.name, len(got))
		}
		for name, c := range got {
			w := want[name]
			near := c.total == w.total && math.Abs(c.tracked-w.tracked) <= w.tracked/100 &&
				(c.series == w.series || name != "abs_token_requests_total")
			if c != w && (exact || !near) {
				return 0, fmt.Errorf("%s: %s serves %d series of %v requests, %v of them of tracked tokens, %s %d of %v and %v, or they differ",
					name, p.name, c.series, c.total, c.tracked, programs[0].name, w.series, w.total, w.tracked)
			}
		}
	}
	for _, w := range want {
		series += w.series
	}
	return series, nil
}
