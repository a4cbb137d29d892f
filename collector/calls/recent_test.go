package calls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// A failure is still there after many successes, and there is never more than a few of each.
func TestRecent(t *testing.T) {
	var r Recent
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for i := range 200 {
		c := abs.Call{Report: abs.ReportTokens, Bytes: int64(i), Exchange: abs.Exchange{Status: 200}}
		if i < 20 {
			c.Err, c.Status = errors.New(strings.Repeat("ä", 400)), 503
		}
		r.Observe(c, at.Add(time.Duration(i)*time.Second))
	}
	r.Observe(abs.Call{Report: abs.ReportForensics, Err: fmt.Errorf("cut: %w", context.Canceled)}, at)
	all := r.Newest()
	if len(all) != keptSuccesses+keptFailures {
		t.Fatalf("%d calls are kept: %+v", len(all), all)
	}
	for i, want := range []int64{199, 198, 197, 19, 18} {
		if all[i].Bytes != want || (all[i].Error != "") != (want < 20) {
			t.Errorf("call %d is %+v, want that of %d bytes", i, all[i], want)
		}
	}
	if text := all[3].Error; len(text) > maxErrorText+len("…") || !strings.HasSuffix(text, "ä…") {
		t.Errorf("the error is %q", text)
	}
	if (*Recent)(nil).Newest() != nil {
		t.Error("nil has calls")
	}
}
