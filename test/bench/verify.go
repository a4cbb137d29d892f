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

// What is compared must be the same work: before anything is timed, the exporter's series
// are held against the baseline's, series for series and value for value.

// content sums up the series of one family, whatever their order.
type content struct {
	series int
	total  float64
	listed float64 // without what the rest has as one
	hash   uint64
}

// contents reads the families that both have. Series of nothing at all, which the
// exporter serves for what is born at 0, do not count.
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
				c.listed += value
			}
			c.hash ^= maphash.String(seed, canonical(line[:at])+strconv.FormatFloat(value, 'f', -1, 64))
			into[name] = c
		}
		return n, lines.Err()
	}
}

// canonical has the labels in one order; their values here hold neither comma nor quote.
func canonical(series string) string {
	name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
	var token, target, rest string
	for l := range strings.SplitSeq(labels, ",") {
		switch {
		case strings.HasPrefix(l, "token="):
			token = l
		case strings.HasPrefix(l, "target="):
			target = l
		default:
			rest = l
		}
	}
	return name + target + token + rest
}

// verify runs each program once and holds its series against the first one's. Where some
// tokens only are listed (exact is false) they may be others: of tokens that are equally
// busy, and the exporter overlooks one in some thousands, as its memory is bounded. Then
// there must be as many of them, with the same requests but for a hundredth.
func verify(ctx context.Context, abs *hello, programs []program, exact bool) (map[string]content, error) {
	seed := maphash.MakeSeed()
	var want map[string]content
	for _, p := range programs {
		got := map[string]content{}
		p.gzip = false
		if p.args[0] == "exporter" {
			p.args = append(slices.Clone(p.args), "-twice")
		}
		if _, err := p.run(ctx, abs, contents(seed, got)); err != nil {
			return nil, err
		}
		if want == nil {
			want = got
		}
		if len(got) != 4 {
			return nil, fmt.Errorf("%s serves %d of the four families", p.name, len(got))
		}
		for name, c := range got {
			w := want[name]
			near := c.total == w.total && math.Abs(c.listed-w.listed) <= w.listed/100 &&
				(c.series == w.series || name != "abs_token_requests_total")
			if c != w && (exact || !near) {
				return nil, fmt.Errorf("%s: %s serves %d series of %v requests, %v of them of listed tokens, %s %d of %v and %v, or they are others",
					name, p.name, c.series, c.total, c.listed, programs[0].name, w.series, w.total, w.listed)
			}
		}
	}
	return want, nil
}
