package otlp

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abs-exporter/abs-exporter/metrics"
)

type nobody struct{}

func (nobody) Publish(string, *metrics.Snapshot) {}

// Pushes come at the start, after a commit, a minute after the last one, and at the end.
func TestWhenItPushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoLogs: true})
		begun := time.Now()
		stop := r.run(t)
		synctest.Wait()
		time.Sleep(10 * time.Second)
		r.Tee(nobody{}).Publish("shop", snapshot(counter("shop", "1", 1)))
		time.Sleep(140 * time.Second)
		synctest.Wait()
		stop()
		requests, at := r.metrics.take()
		var got []string
		for i, b := range requests {
			n := len(merged(t, [][]byte{b}))
			got = append(got, fmt.Sprintf("%v: %d", at[i].Sub(begun), n))
		}
		if want := "0s: 0, 10s: 1, 1m10s: 1, 2m10s: 1, 2m30s: 1"; strings.Join(got, ", ") != want {
			t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
		}
		if !r.metrics.closed {
			t.Error("the sender was not closed")
		}
	})
}

// Each target is told once a minute, however often others commit, and however the wall clock is set meanwhile.
func TestEachTargetIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoLogs: true})
		begun := time.Now()
		r.now = func() time.Time {
			if time.Since(begun) > 90*time.Second {
				return time.Now().Add(-time.Hour)
			}
			return time.Now()
		}
		tee := r.Tee(nobody{})
		stop := r.run(t)
		tee.Publish("idle", snapshot(counter("idle", "1", 1)))
		for n := range 12 {
			tee.Publish("busy", snapshot(counter("busy", "1", int64(n))))
			time.Sleep(25 * time.Second) // a minute is no multiple of it
		}
		stop()
		requests, at := r.metrics.take()
		var last time.Time
		for i, b := range requests {
			for key := range merged(t, [][]byte{b}) {
				if !strings.Contains(key, "target:idle") {
					continue
				}
				if gap := at[i].Sub(last); !last.IsZero() && gap > time.Minute {
					t.Errorf("the idle target was not told for %v", gap)
				}
				last = at[i]
			}
		}
		if since := time.Since(last); since > time.Minute {
			t.Errorf("the idle target was told last %v before the end", since)
		}
		if n := len(requests); n > 25 {
			t.Errorf("%d requests in five minutes", n)
		}
	})
}

// Only the target that committed is pushed; the others when their minute is over.
func TestACommitPushesItsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoLogs: true})
		tee := r.Tee(nobody{})
		tee.Publish("a", snapshot(counter("a", "1", 1)))
		tee.Publish("b", snapshot(counter("b", "1", 1)))
		stop := r.run(t)
		defer stop()
		synctest.Wait()
		r.metrics.take()
		time.Sleep(20 * time.Second)
		tee.Publish("b", snapshot(counter("b", "1", 2)))
		synctest.Wait()
		requests, _ := r.metrics.take()
		if got := merged(t, requests); len(got) != 1 {
			t.Errorf("after a commit of b: %v", got)
		}
		tee.Publish("a", nil) // a reload has dropped it
		synctest.Wait()
		requests, _ = r.metrics.take()
		ended := 0
		for _, p := range merged(t, requests) {
			if p.ended {
				ended++
			}
		}
		if ended != 1 {
			t.Errorf("%d series of a were ended", ended)
		}
	})
}

// While the receiver fails, pushes become rarer, each tells what is true then, and the log has one line.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoLogs: true})
		r.metrics.set(func(n int, _ []byte) (reply, error) {
			return reply{}, &refusal{text: "not now", retry: true, after: map[bool]time.Duration{true: 45 * time.Second}[n == 3]}
		})
		tee := r.Tee(nobody{})
		stop := r.run(t)
		defer stop()
		for n := range 600 {
			tee.Publish("shop", snapshot(counter("shop", "1", int64(n))))
			time.Sleep(time.Second)
		}
		requests, at := r.metrics.take()
		if len(requests) < 20 || len(requests) > 60 {
			t.Errorf("%d requests in ten minutes", len(requests))
		}
		if pause := at[4].Sub(at[3]); pause < 45*time.Second {
			t.Errorf("it came back after %v, the receiver said 45s", pause)
		}
		last := merged(t, requests[len(requests)-1:])
		for key, p := range last {
			if p.value < 560 {
				t.Errorf("the last push tells old news: %s %+v", key, p)
			}
		}
		if n := strings.Count(r.log.String(), "level=WARN"); n < 2 || n > 3 {
			t.Errorf("%d warnings in ten minutes:\n%s", n, r.log)
		}
		if got := r.count(t, metrics.OTLPRequests, metrics.SignalMetrics, metrics.OutcomeFailure); got != float64(len(requests)) {
			t.Errorf("%v failures counted of %d", got, len(requests))
		}

		r.metrics.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		requests, _ = r.metrics.take()
		got := merged(t, requests)
		if len(got) != 1 || !strings.Contains(r.log.String(), "are pushed over OTLP again") {
			t.Errorf("afterwards %v\n%s", got, r.log)
		}
		if n := r.count(t, metrics.OTLPDropped, metrics.SignalMetrics); n != 0 {
			t.Errorf("%v points dropped; cumulative sums lose none", n)
		}
	})
}

// A receiver with a smaller limit gets smaller requests, and the full size again hours later.
func TestSmallerRequestsForASmallerReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 300 << 10
		r := newRig(t, Settings{NoLogs: true})
		largest := 0
		r.metrics.set(func(_ int, b []byte) (reply, error) {
			if len(b) > most {
				return reply{}, &refusal{text: "too large", tooLarge: true}
			}
			return reply{}, nil
		})
		var samples []metrics.Sample
		for n := range 4_000 {
			samples = append(samples, counter("shop", fmt.Sprint(n), 1))
		}
		r.Tee(nobody{}).Publish("shop", snapshot(samples...))
		stop := r.run(t)
		defer stop()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		requests, _ := r.metrics.take()
		taken := requests[:0]
		for _, b := range requests {
			if len(b) <= most {
				taken = append(taken, b)
			}
		}
		if got := merged(t, taken); len(got) != len(samples) {
			t.Errorf("the receiver has %d series", len(got))
		}
		r.metrics.set(nil)
		r.Tee(nobody{}).Publish("shop", snapshot()) // hours pass faster without them
		time.Sleep(growAfter + 5*time.Minute)
		r.Tee(nobody{}).Publish("shop", snapshot(samples...))
		synctest.Wait()
		requests, _ = r.metrics.take()
		for _, b := range requests {
			largest = max(largest, len(b))
		}
		if largest <= most {
			t.Errorf("hours later the largest request has %d bytes", largest)
		}
	})
}

func event(n int) metrics.Event {
	return metrics.Event{
		At: born, Target: "shop", Began: true, Token: fmt.Sprintf("%016x", n),
		Type: "Data Exfiltration Attack Type 1", Severity: "critical", APIs: []string{"shop", "payments"},
	}
}

// Events wait for a receiver that is away; past the bound the oldest go, and are counted.
func TestEventsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoMetrics: true})
		r.logs.set(func(int, []byte) (reply, error) { return reply{}, &refusal{text: "not now", retry: true} })
		stop := r.run(t)
		for n := range queueRecords + 100 {
			r.Event(event(n))
		}
		time.Sleep(time.Minute)
		if n := len(r.queue.records); n != queueRecords {
			t.Errorf("%d records wait", n)
		}
		r.logs.set(nil)
		r.logs.take()
		time.Sleep(time.Minute)
		synctest.Wait()
		requests, _ := r.logs.take()
		var tokens []string
		for _, b := range requests {
			for _, record := range items(t, b) {
				tokens = append(tokens, attributes(t, record, fieldLogAttributes)["token"])
			}
		}
		if len(tokens) != queueRecords || tokens[0] != fmt.Sprintf("%016x", 100) || tokens[len(tokens)-1] != fmt.Sprintf("%016x", queueRecords+99) {
			t.Errorf("%d records came, the first %s", len(tokens), tokens[0])
		}
		if n := r.count(t, metrics.OTLPDropped, metrics.SignalLogs); n != 100 {
			t.Errorf("%v dropped records counted", n)
		}
		r.Event(event(1))
		stop() // at once: the last event still goes
		if len(r.queue.records) != 0 {
			t.Error("the last event was not taken at the end")
		}
	})
}

// The process's own log goes before an event does.
func TestTheProcessLogCostsNoEvent(t *testing.T) {
	r := newRig(t, Settings{NoMetrics: true, ProcessLog: true})
	log := slog.New(r.LogHandler(slog.NewTextHandler(io.Discard, nil)))
	tell := func(n int) {
		for range n {
			log.Info("something of the process")
		}
	}
	tell(10)
	for n := range 100 {
		r.Event(event(n))
	}
	tell(2 * queueRecords)
	events := 0
	for _, w := range r.queue.records {
		if !w.own {
			events++
		}
	}
	if events != 100 || len(r.queue.records) != queueRecords || r.queue.own != queueRecords-100 {
		t.Errorf("%d events of %d records, %d of the log", events, len(r.queue.records), r.queue.own)
	}
	for n := range queueRecords {
		r.Event(event(100 + n))
	}
	if first := r.queue.records[0]; r.queue.own != 0 || attributes(t, first.record, fieldLogAttributes)["token"] != fmt.Sprintf("%016x", 100) {
		t.Errorf("%d of the log are left", r.queue.own)
	}
	tell(1)
	if len(r.queue.records) != queueRecords || r.queue.own != 0 {
		t.Error("a full queue of events took the log")
	}
	b, _, next := r.queue.batch(batchRecords)
	b.release()
	r.queue.done(next)
	if n := len(r.queue.records); n != queueRecords-batchRecords {
		t.Errorf("%d wait after a batch", n)
	}
}

// A batch that is too large goes in smaller ones; only a record that is too large by itself is given up.
func TestSmallerBatchesForASmallerReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoMetrics: true})
		const most = 20 << 10
		came := map[string]bool{}
		r.logs.set(func(_ int, b []byte) (reply, error) {
			if len(b) > most {
				return reply{}, &refusal{text: "too large", tooLarge: true}
			}
			for _, record := range items(t, b) {
				came[attributes(t, record, fieldLogAttributes)["token"]] = true
			}
			return reply{}, nil
		})
		for n := range 1000 {
			e := event(n)
			if n == 700 {
				for range 2000 {
					e.APIs = append(e.APIs, "an API of many")
				}
			}
			r.Event(e)
		}
		stop := r.run(t)
		synctest.Wait()
		stop()
		if len(came) != 999 || came[fmt.Sprintf("%016x", 700)] {
			t.Errorf("%d of 999 records came", len(came))
		}
		if n := r.count(t, metrics.OTLPDropped, metrics.SignalLogs); n != 1 {
			t.Errorf("%v dropped", n)
		}
	})
}

// Records that are refused for good do not hold up those behind them.
func TestRefusedEventsAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Settings{NoMetrics: true})
		r.logs.set(func(n int, _ []byte) (reply, error) {
			if n == 0 {
				return reply{}, &refusal{text: "never"}
			}
			return reply{rejected: 1, message: "one of them"}, nil
		})
		stop := r.run(t)
		r.Event(event(1))
		synctest.Wait()
		r.Event(event(2))
		r.Event(event(3))
		synctest.Wait()
		stop()
		if got := r.count(t, metrics.OTLPDropped, metrics.SignalLogs); got < 2 {
			t.Errorf("%v dropped", got)
		}
		if len(r.queue.records) != 0 {
			t.Errorf("%d still wait", len(r.queue.records))
		}
	})
}
