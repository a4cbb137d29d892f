package check

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// size reads settled windows of growing length: ten minutes, an hour, the window of the gauges, a
// day.
func (i *inspection) size(ctx context.Context, a *Answer) {
	to := i.settled()
	all := []reading{i.first}
	lengths := []time.Duration{time.Hour, i.target.Collect.Window, 24 * time.Hour}
	slices.Sort(lengths)
	for _, d := range slices.Compact(lengths) {
		c := newCensus(&i.target.Choices)
		r := i.asker.tokens(ctx, abs.Window{From: to.Add(-d), To: to}, "a report of "+length(d), c.row)
		if r.err == nil && d <= i.target.Collect.Window {
			i.census, i.of = c, d
		}
		if all = append(all, r); r.err != nil && !tooLong(r.err) {
			break
		}
	}
	sizes{all, int64(i.target.ResponseCap), i.target.Timeout, i.target.Collect.Window}.answer(a)
}

// tooLong reports whether a report fails for its length, as far as an error shows that.
func tooLong(err error) bool {
	e := (*abs.Error)(nil)
	return tooLarge(err) || abs.ReasonOf(err) == abs.ReasonTimeout || errors.As(err, &e) && e.Status == http.StatusInternalServerError
}

// sizes are reports of growing windows, and the settings that depend on their size.
type sizes struct {
	readings []reading
	cap      int64 // --abs.response-cap
	timeout  time.Duration
	longest  time.Duration // that serve requests: --collect.window
}

func (s sizes) answer(a *Answer) {
	for i := range s.readings {
		r := &s.readings[i]
		if r.err == nil {
			a.found("%s: %s in %s, %s, %s.", length(r.length), size(r.summary.Bytes), duration(r.call.Duration),
				counted(r.summary.Rows, "row", "rows"), counted(r.summary.RowRequests, "request", "requests"))
			if s.cut(r) {
				s.leftOut(a, r)
				return
			}
			s.slow(a, r)
			continue
		}
		a.found("%s: no report: %s.", length(r.length), failure(r.err))
		s.failed(a, r)
		return
	}
	a.found("No cap was met: --abs.response-cap is %s.", size(s.cap))
}

// cut reports whether a report lacks rows of its summary.
func (s sizes) cut(r *reading) bool {
	return r.summary.HasSummary && r.summary.RowRequests+r.summary.Skipped.Requests < r.summary.Requests
}

func (s sizes) leftOut(a *Answer, r *reading) {
	a.found("Its rows have %s fewer requests than its summary: ABS leaves rows out of a long report.",
		number(r.summary.Requests-r.summary.RowRequests))
	s.capAt(a, r.summary.Bytes)
}

// capAt says that ABS's reports end at a size.
func (s sizes) capAt(a *Answer, bytes int64) {
	if bytes >= s.cap/10*9 && bytes <= s.cap/10*11 {
		a.found("That is --abs.response-cap: longer windows are read in halves.")
		return
	}
	a.fix("ABS's response_size seems to be %s, and --abs.response-cap is %s: serve reads a window in halves by that.", size(bytes), size(s.cap))
	a.set("abs.response-cap", strconv.FormatInt(bytes, 10)+"B")
}

// slow says when a report takes much of the time that a request has.
func (s sizes) slow(a *Answer, r *reading) {
	if r.length <= s.longest && r.call.Duration > s.timeout/2 {
		a.fix("That is more than half of --abs.timeout (%s).", length(s.timeout))
		a.set("abs.timeout", length((2*r.call.Duration).Truncate(time.Minute)+time.Minute))
	}
}

// failed says what follows from a report that failed, where a shorter one was read.
func (s sizes) failed(a *Answer, r *reading) {
	e := (*abs.Error)(nil)
	switch errors.As(r.err, &e); {
	case errors.Is(r.err, errCalls):
		a.unknown("It could not be found out for all lengths.")
	case e == nil:
		a.unknown("It could not be found out.")
	case e.Truncated:
		a.found("Its body ends after %s, within a row: ABS cuts a long report.", size(r.call.Bytes))
		s.capAt(a, r.call.Bytes)
	case e.Reason == abs.ReasonSize && e.Status == 0:
		a.fix("The report is more than twice --abs.response-cap (%s): set that to the response_size of ABS, which its global configuration has.", size(s.cap))
	case r.length > s.longest:
		a.found("serve requests no window so long: --collect.window is %s.", length(s.longest))
	case e.Status == http.StatusRequestEntityTooLarge:
		a.found("serve reads such a window in halves, and abs_window_tokens is absent then.")
	case e.Reason == abs.ReasonTimeout:
		a.fix("serve reads a window in halves that times out twice; a longer time limit saves that.")
		a.set("abs.timeout", length(2*s.timeout))
	case e.Status == http.StatusInternalServerError:
		a.fix("A 500 that depends on the length: serve finds a length that works, but only by probing, after three cycles. "+
			"Raise response_size at ABS, or shorten --collect.window (%s).", length(s.longest))
	default:
		a.unknown("That says nothing of the length.")
	}
}
