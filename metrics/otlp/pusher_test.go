package otlp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	points "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Pushes come soon after a commit, once in an interval at most, now and then without a commit, and
// at the end.
func TestWhenItPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}})
		begun := time.Now()
		stop := r.run(t)
		time.Sleep(5 * time.Second)
		r.Publish("shop", snapshot(counter("shop", "1", 1)))
		time.Sleep(15 * time.Second)
		r.Publish("shop", snapshot(counter("shop", "1", 2))) // 20 s
		time.Sleep(10 * time.Second)
		r.Publish("shop", snapshot(counter("shop", "1", 3))) // 30 s
		time.Sleep(270 * time.Second)                        // 300 s
		r.Publish("shop", snapshot(counter("shop", "1", 4)))
		time.Sleep(20 * time.Second)
		r.Publish("shop", snapshot(counter("shop", "1", 5)))
		time.Sleep(time.Second)
		stop()
		var got []string
		for _, one := range r.take() {
			for _, p := range snapshotSeries(one) {
				got = append(got, fmt.Sprintf("%v: %d", one.at.Sub(begun), p.value))
			}
		}
		if want := "5s: 1, 1m5s: 3, 3m35s: 3, 5m0s: 4, 5m21s: 5"; strings.Join(got, ", ") != want {
			t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
		}
	})
}

// A snapshot between cycles goes with the next push, and does not cause one.
func TestInterimSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}})
		begun := time.Now()
		stop := r.run(t)
		defer stop()
		interim := snapshot(counter("shop", "1", 1))
		interim.Interim = true
		r.Publish("shop", interim)
		time.Sleep(5 * time.Second)
		if n := len(r.take()); n != 0 {
			t.Errorf("%d pushes of an interim snapshot alone", n)
		}
		r.Publish("bank", snapshot(counter("bank", "1", 2)))
		time.Sleep(time.Second)
		all := r.take()
		if len(all) != 1 || all[0].at.Sub(begun) != 5*time.Second || len(snapshotSeries(all...)) != 2 {
			t.Errorf("%d pushes with %v", len(all), snapshotSeries(all...))
		}
		r.Publish("bank", nil) // of a target that is gone
		time.Sleep(time.Minute)
		if all := r.take(); len(all) != 1 || len(snapshotSeries(all...)) != 1 {
			t.Errorf("%d pushes after a target is gone", len(all))
		}
	})
}

// However long the interval is, no series is without a point for five minutes, at which Prometheus
// drops it.
func TestLongestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}})
		r.interval = MaxInterval
		stop := r.run(t)
		defer stop()
		r.Publish("shop", snapshot(counter("shop", "1", 1)))
		time.Sleep(time.Hour)
		all := r.take()
		for i := range all[1:] {
			if gap := all[i+1].at.Sub(all[i].at); gap != MaxInterval {
				t.Errorf("a push came after %v", gap)
			}
		}
		if len(all) < 14 {
			t.Errorf("%d pushes in an hour", len(all))
		}
	})
}

// A commit never waits: not for a receiver that hangs, and not for its end.
func TestPublishNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}, Logs: &Signal{}})
		hang := make(chan struct{})
		r.set(func(http.ResponseWriter, *http.Request) { <-hang })
		stop := r.run(t)
		begun := time.Now()
		for n := range 10_000 {
			r.Publish("shop", snapshot(counter("shop", "1", int64(n))))
			r.Event(event(n))
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("it waited for %v", took)
		}
		time.Sleep(5 * time.Minute)
		begun = time.Now()
		stop()
		if took := time.Since(begun); took > lastPush {
			t.Errorf("the end took %v", took)
		}
		close(hang)
	})
}

// While the receiver fails, the log has one line in a while, and what arrives afterwards is what is
// true then. Nothing of metrics counts as dropped.
func TestReceiverIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}, Logs: &Signal{}})
		r.set(respond(http.StatusServiceUnavailable))
		stop := r.run(t)
		defer stop()
		r.Event(event(1))
		for n := range 600 {
			r.Publish("shop", snapshot(counter("shop", "1", int64(n))))
			time.Sleep(time.Second)
		}
		all := r.take()
		if n := len(all); n < 40 || n > 160 {
			t.Errorf("%d requests in ten minutes", n)
		}
		r.eachSignal(func(signal string) {
			if n := strings.Count(r.log.String(), `msg="OTLP push failed" signal=`+signal); n < 2 || n > 3 {
				t.Errorf("%d warnings about %s in ten minutes:\n%s", n, signal, r.log)
			}
		})
		failed := r.count(t, metrics.OTLPRequests, metrics.SignalMetrics, metrics.OutcomeFailure) +
			r.count(t, metrics.OTLPRequests, metrics.SignalLogs, metrics.OutcomeFailure)
		if failed != float64(len(all)) {
			t.Errorf("%v failures counted of %d", failed, len(all))
		}
		r.set(nil)
		time.Sleep(2 * time.Minute)
		all = r.take()
		events := countRecords(all)
		var newest int64
		for _, p := range snapshotSeries(all...) {
			newest = p.value // there is one series: the last one counts
		}
		if newest != 599 || events != 1 {
			t.Errorf("afterwards the value is %d, and there are %d events", newest, events)
		}
		if n := strings.Count(r.log.String(), "OTLP push recovered"); n != 2 {
			t.Errorf("the log says %d times that it is over:\n%s", n, r.log)
		}
		r.eachSignal(func(signal string) {
			if n := r.count(t, metrics.OTLPDropped, signal); n != 0 {
				t.Errorf("%v of %s dropped", n, signal)
			}
			if r.count(t, metrics.OTLPLastSuccess, signal) == 0 {
				t.Errorf("%s have no last success", signal)
			}
		})
	})
}

// A refused connection is retried like any other failure that may pass.
func TestRefusedConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Logs: &Signal{}})
		up := r.links[0].transport.DialContext
		var isUp atomic.Bool
		r.links[0].transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if isUp.Load() {
				return up(ctx, network, address)
			}
			return refuse(ctx, network, address)
		}
		stop := r.run(t)
		defer stop()
		r.Event(event(1))
		time.Sleep(3 * time.Minute)
		if n := r.count(t, metrics.OTLPRequests, metrics.SignalLogs, metrics.OutcomeFailure); n < 5 {
			t.Errorf("%v failures", n)
		}
		if !strings.Contains(r.log.String(), "connection refused") || strings.Contains(r.log.String(), "receiver.example/v1") {
			t.Errorf("the log says %s", r.log)
		}
		isUp.Store(true)
		time.Sleep(time.Minute)
		if all := r.take(); len(all) != 1 || len(all[0].records) != 1 {
			t.Errorf("%d requests came", len(all))
		}
	})
}

// A receiver's wish to be left alone is respected, up to five minutes.
func TestRetryAfter(t *testing.T) {
	for after, want := range map[string]time.Duration{"45": 45 * time.Second, "86400": longestPause, "soon": 0} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{Metrics: &Signal{}, Logs: &Signal{}})
			r.set(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(http.StatusTooManyRequests)
			})
			stop := r.run(t)
			defer stop()
			r.Event(event(1))
			r.Publish("shop", snapshot(counter("shop", "1", 1)))
			time.Sleep(20 * time.Minute)
			last := map[bool]time.Time{}
			for _, one := range r.take() {
				logs := len(one.records) > 0
				if gap := one.at.Sub(last[logs]); !last[logs].IsZero() && gap < want {
					t.Errorf("Retry-After %s: the next request came after %v", after, gap)
				}
				last[logs] = one.at
			}
			if since := time.Since(last[true]); since > longestPause+maxRetry*2 {
				t.Errorf("Retry-After %s: no request for %v", after, since)
			}
		})
	}
}

// Events wait for a receiver that is away. Past the bound the oldest are dropped, and counted while
// the receiver is still away; every event either arrives or counts.
func TestEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Logs: &Signal{}})
		r.set(respond(http.StatusServiceUnavailable))
		stop := r.run(t)
		r.Event(event(0))
		time.Sleep(10 * time.Second) // it is under way
		for n := range queueSize + 100 {
			r.Event(event(1 + n))
		}
		synctest.Wait()
		if n := r.count(t, metrics.OTLPDropped, metrics.SignalLogs); n != 100 {
			t.Errorf("%v dropped records counted while the receiver is away, want 100", n)
		}
		r.take()
		r.set(nil)
		time.Sleep(time.Minute)
		var tokens []string
		for _, one := range r.take() {
			for _, record := range one.records {
				tokens = append(tokens, texts(record.GetAttributes())["token"])
			}
		}
		want := []string{event(0).Token}
		for n := range queueSize {
			want = append(want, event(101+n).Token)
		}
		if !slices.Equal(tokens, want) {
			t.Errorf("%d records came, want %d", len(tokens), len(want))
		}
		if n := r.count(t, metrics.OTLPDropped, metrics.SignalLogs); n != 100 {
			t.Errorf("%v dropped records counted in the end, want 100", n)
		}
		r.Event(event(1))
		stop() // at once: the last event is still pushed
		if all := r.take(); len(all) != 1 {
			t.Errorf("%d requests at the end", len(all))
		}
	})
}

// What the end cuts short goes with the last push, if the receiver is back by then.
func TestLastPushHasWhatWasUnderWay(t *testing.T) {
	for _, more := range []int{0, 1} { // with and without others in the queue
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{Logs: &Signal{}})
			r.set(respond(http.StatusServiceUnavailable))
			stop := r.run(t)
			r.Event(event(1))
			time.Sleep(5 * time.Minute)
			for n := range more {
				r.Event(event(2 + n))
			}
			r.take()
			r.set(nil)
			stop()
			records := countRecords(r.take())
			if records != 1+more || r.count(t, metrics.OTLPDropped, metrics.SignalLogs) != 0 {
				t.Errorf("%d records came at the end, want %d", records, 1+more)
			}
		})
	}
}

// Records that are refused for good are counted, in few requests, and do not hold up those behind
// them.
func TestRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Logs: &Signal{}})
		r.set(respond(http.StatusForbidden))
		stop := r.run(t)
		defer stop()
		for n := range 2000 {
			r.Event(event(n))
		}
		time.Sleep(time.Minute)
		// Four batches of 512, and partial ones where the SDK's processor is woken once more than needed.
		if n := len(r.take()); n > 9 {
			t.Errorf("%d requests for 2,000 refused records", n)
		}
		if n := r.count(t, metrics.OTLPDropped, metrics.SignalLogs); n != 2000 {
			t.Errorf("%v dropped, want 2000", n)
		}
		r.set(nil)
		r.Event(event(1))
		time.Sleep(2 * time.Second)
		if all := r.take(); len(all) != 1 || len(all[0].records) != 1 {
			t.Errorf("afterwards %d requests", len(all))
		}
	})
}

// Requests that are too large are named, counted, and not made smaller or repeated.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}, BatchSize: 100})
		r.set(respond(http.StatusRequestEntityTooLarge))
		stop := r.run(t)
		defer stop()
		var samples []metrics.Sample
		for n := range 1000 {
			samples = append(samples, counter("shop", fmt.Sprint(n), 1))
		}
		r.Publish("shop", snapshot(samples...))
		time.Sleep(time.Second)
		all := r.take()
		if len(all) != 11 { // 4 points of the own health are the last
			t.Errorf("%d requests of 1,000 points", len(all))
		}
		dropped := r.count(t, metrics.OTLPDropped, metrics.SignalMetrics)
		if dropped != 1004 || !strings.Contains(r.log.String(), "--otlp.batch-size") {
			t.Errorf("%v points dropped; the log says %s", dropped, r.log)
		}
		if n := strings.Count(r.log.String(), "level=WARN"); n != 1 {
			t.Errorf("%d warnings", n)
		}
	})
}

// The default batch size keeps requests of large points below 1 MiB.
func TestBatchSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Metrics: &Signal{}})
		largest := int64(0)
		r.set(func(_ http.ResponseWriter, req *http.Request) { largest = max(largest, req.ContentLength) })
		long := strings.Repeat("x", 120)
		var samples []metrics.Sample
		for n := range 5000 {
			s := metrics.NewSeries(metrics.AttackTypeInfo, time.Time{}, long+"target!!", fmt.Sprintf("%s%08d", long, n), long+"12345678", long+"category", long+"severity")
			samples = append(samples, metrics.Sample{Series: s, Value: 1})
		}
		r.Publish("shop", snapshot(samples...))
		stop := r.run(t)
		time.Sleep(time.Second)
		stop()
		if largest == 0 || largest >= 5<<20/4 { // this family has five such labels
			t.Errorf("the largest request has %d bytes", largest)
		}
	})
}

// What the receiver rejects of a request is counted; a remark with nothing rejected is no warning,
// and an answer of any size is one of a request that was taken.
func TestPartialSuccess(t *testing.T) {
	for _, tc := range []struct {
		rejected int64
		message  string
		warnings int
	}{
		{5, "too old (7 of them)", 1},
		{0, "your SDK is (99) years old", 0},
		{0, strings.Repeat("words ", 20_000), 0},
		{3, strings.Repeat("words ", 10_000), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, Config{Metrics: &Signal{}, Logs: &Signal{}})
			r.set(respondPartialSuccess(tc.rejected, tc.message))
			stop := r.run(t)
			defer stop()
			r.Event(event(1))
			r.Publish("shop", snapshot(counter("shop", "1", 1)))
			time.Sleep(5 * time.Second)
			r.eachSignal(func(signal string) {
				outcome := metrics.OutcomeSuccess
				if tc.rejected > 0 {
					outcome = metrics.OutcomePartial
				}
				if n := r.count(t, metrics.OTLPRequests, signal, outcome); n != 1 {
					t.Errorf("%d rejected: %v requests of outcome %s", tc.rejected, n, outcome)
				}
				if n := r.count(t, metrics.OTLPDropped, signal); n != float64(tc.rejected) {
					t.Errorf("%d rejected: %v dropped", tc.rejected, n)
				}
				if last := r.count(t, metrics.OTLPLastSuccess, signal); (last != 0) != (tc.rejected == 0) {
					t.Errorf("%d rejected: last success %v", tc.rejected, last)
				}
			})
			if n := strings.Count(r.log.String(), "level=WARN"); n != 2*tc.warnings || strings.Contains(r.log.String(), "words") || strings.Contains(r.log.String(), "old") {
				t.Errorf("the log says %.500s", r.log)
			}
		})
	}
}

// respondPartialSuccess takes a request of either signal but for some items.
func respondPartialSuccess(rejected int64, message string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, req *http.Request) {
		var out proto.Message = &logs.ExportLogsServiceResponse{
			PartialSuccess: &logs.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: message},
		}
		if strings.HasSuffix(req.URL.Path, "metrics") {
			out = &points.ExportMetricsServiceResponse{
				PartialSuccess: &points.ExportMetricsPartialSuccess{RejectedDataPoints: rejected, ErrorMessage: message},
			}
		}
		body, _ := proto.Marshal(out)
		w.Header().Set("Content-Type", "application/x-protobuf; charset=utf-8")
		_, _ = w.Write(body)
	}
}

// No answer of a receiver is repeated: it may have what it was sent.
func TestReceiverThatEchoes(t *testing.T) {
	const secret = "s3cr3t-token"
	for _, code := range []int{200, 302, 400, 401, 403, 413, 429, 500, 503} {
		synctest.Test(t, func(t *testing.T) {
			headers := func() (map[string]string, error) { return map[string]string{"authorization": "Bearer " + secret}, nil }
			r := newRig(t, Config{Metrics: &Signal{Headers: headers}, Logs: &Signal{Headers: headers}})
			elsewhere := 0
			r.set(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/elsewhere" {
					elsewhere++
				}
				if code == http.StatusFound {
					w.Header().Set("Location", "http://other.example/elsewhere?"+secret)
				}
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				w.WriteHeader(code)
				_, _ = io.WriteString(w, "no "+req.Header.Get("Authorization")+"\nfor you")
			})
			stop := r.run(t)
			r.Event(event(1))
			r.Publish("shop", snapshot(counter("shop", "1", 1)))
			time.Sleep(2 * time.Minute)
			stop()
			if text := r.log.String(); !strings.Contains(text, fmt.Sprint("the receiver answers ", code)) || strings.Contains(text, secret) || strings.Contains(text, "for you") {
				t.Errorf("%d: the log says %s", code, text)
			}
			if elsewhere != 0 {
				t.Errorf("%d requests followed the redirect", elsewhere)
			}
			for _, one := range r.take() {
				if one.headers.Get("Authorization") != "Bearer "+secret {
					t.Errorf("%d: the headers are %v", code, one.headers)
				}
			}
		})
	}
}

// Headers are read again for each request; while they cannot be read, nothing is sent.
func TestHeadersOfEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := newRig(t, Config{Metrics: &Signal{Headers: func() (map[string]string, error) {
			if n++; n == 2 {
				return nil, io.ErrUnexpectedEOF
			}
			return map[string]string{"api-key": fmt.Sprint(n)}, nil
		}}})
		stop := r.run(t)
		defer stop()
		for value := range int64(3) {
			r.Publish("shop", snapshot(counter("shop", "1", value)))
			time.Sleep(time.Minute)
		}
		var got []string
		for _, one := range r.take() {
			got = append(got, one.headers.Get("Api-Key"))
		}
		if !slices.Equal(got, []string{"1", "3", "4"}) || !strings.Contains(r.log.String(), "the headers cannot be read") {
			t.Errorf("the requests have the headers %q; the log says %s", got, r.log)
		}
	})
}
