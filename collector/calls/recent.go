package calls

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// How many calls of each report are kept. Failures have a place of their own, so that successes do
// not displace them.
const (
	keptSuccesses = 3
	keptFailures  = 10
	maxErrorText  = 300 // bytes
)

// Recent are the last calls of a target's client. Its methods may be called at the same time, and
// for nil, which has none.
type Recent struct {
	mu   sync.Mutex
	kept map[kind][]Call
}

// kind is a report, and whether the calls for it failed.
type kind struct {
	report string
	failed bool
}

// Call is a call to ABS that has ended.
type Call struct {
	Ended    time.Time
	Report   string
	Status   int   // of HTTP; 0 without a response
	Bytes    int64 // of the body, as far as it was read
	Duration time.Duration
	Reason   string // of the failure; "" for a success
	Error    string // what happened; holds neither key nor token
}

// Observe records a call. One that the exporter itself cut is none of ABS's.
func (r *Recent) Observe(c abs.Call, now time.Time) {
	if errors.Is(c.Err, context.Canceled) {
		return
	}
	call := Call{Ended: now, Report: c.Report, Status: c.Status, Bytes: c.Bytes, Duration: c.Duration}
	of, most := kind{c.Report, c.Err != nil}, keptSuccesses
	if c.Err != nil {
		most = keptFailures
		call.Reason, call.Error = string(abs.ReasonOf(c.Err)), c.Err.Error()
		if len(call.Error) > maxErrorText {
			call.Error = strings.ToValidUTF8(call.Error[:maxErrorText], "") + "…"
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kept == nil {
		r.kept = map[kind][]Call{}
	}
	if len(r.kept[of]) == most {
		r.kept[of] = slices.Delete(r.kept[of], 0, 1)
	}
	r.kept[of] = append(r.kept[of], call)
}

// Newest returns the calls by report, those of each the newest first.
func (r *Recent) Newest() (all []Call) {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, calls := range r.kept {
		all = append(all, calls...)
	}
	slices.SortStableFunc(all, func(a, b Call) int {
		return cmp.Or(cmp.Compare(a.Report, b.Report), b.Ended.Compare(a.Ended), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}
