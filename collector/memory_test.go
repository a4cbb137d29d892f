package collector

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// flood answers each request for token metrics with rows, up to size bytes, and anything else with
// an empty report.
type flood struct {
	size int
	row  func(b []byte, i int) []byte
}

func (f flood) RoundTrip(r *http.Request) (*http.Response, error) {
	body, w := io.Pipe()
	go func() {
		b := []byte(`{"name":"oauth_token_metrics","details":[`)
		if !strings.HasSuffix(r.URL.Path, "oauthtokens") {
			_, _ = io.WriteString(w, `{"name":"api_abs_token"}`)
			_ = w.Close()
			return
		}
		for i, left := 0, f.size; left > 0; i++ {
			if i > 0 {
				b = append(b, ',')
			}
			if b = f.row(b, i); len(b) > 1<<16 {
				if _, err := w.Write(b); err != nil {
					return
				}
				left -= len(b)
				b = b[:0]
			}
		}
		_, _ = w.Write(append(b, `]}`...))
		_ = w.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body}, nil
}

// Whatever rows ABS sends within twice the response cap: what the ledger, the window and the plan
// of forensics keep of them is bounded.
func TestMemoryFollowsWhatIsTracked(t *testing.T) {
	long(t)
	const size = 180 << 20
	name := strings.Repeat("x", 900_000)
	for rows, row := range map[string]func(b []byte, i int) []byte{
		"many tokens": func(b []byte, i int) []byte {
			return append(strconv.AppendInt(append(b, `{"token":"`...), int64(i), 10), `","total_requests":1}`...)
		},
		"long tokens": func(b []byte, i int) []byte {
			return append(strconv.AppendInt(append(append(b, `{"token":"`...), name...), int64(i), 10), `","total_requests":1}`...)
		},
		"tokens of 10 kB": func(b []byte, i int) []byte {
			return append(strconv.AppendInt(append(append(b, `{"token":"`...), name[:10_000]...), int64(i), 10), `","total_requests":1}`...)
		},
		"tokens with names of their own": func(b []byte, i int) []byte {
			return fmt.Appendf(b, `{"token":"%d","total_requests":9,"ip_list":[{"ip":"%d","methods":{"%d":9},"apis":{"%d":9},"devices":{"%d":9}}]}`, i, i, i, i, i)
		},
	} {
		t.Run(rows, func(t *testing.T) {
			clock := &handClock{now: storyBegin}
			o := defaults()
			o.ForensicsRate = 10
			r, err := newRig(o, time.UTC, abs.Exclusive, 0, clock, flood{size, row})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			peak := peakHeap(func() {
				for i := range 2 { // the second plan is made while there is the first
					r.poll(t, storyBegin.Add(time.Duration(1+i)*o.Reread))
				}
			})
			took := time.Since(began)
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			t.Logf("peak %d MB, held %d MB, %.1f s", peak>>20, m.HeapAlloc>>20, took.Seconds())
			if peak > 256<<20 {
				t.Errorf("the heap reaches %d MB", peak>>20)
			}
			runtime.KeepAlive(r)
		})
	}
}

// poll requests the window report once.
func (r *rig) poll(t *testing.T, at time.Time) {
	t.Helper()
	r.clock.set(at)
	c := &cycle{began: at}
	r.window.poll(t.Context(), c)
	if c.failed > 0 {
		t.Error("the report was not read")
	}
}

// peakHeap returns the largest heap in use while f runs.
func peakHeap(f func()) (peak uint64) {
	done := make(chan struct{})
	result := make(chan uint64)
	go func() {
		var peak uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-done:
				result <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-result
}
