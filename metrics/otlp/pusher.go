package otlp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Limits of a request. A gRPC receiver takes 4 MiB by default.
const (
	largestRequest  = 4<<20 - 64<<10
	smallestRequest = 64 << 10
)

// Waits after a failure: the first, and the longest, also where the receiver names one.
const (
	firstWait   = time.Second
	longestWait = 30 * time.Second
	longestSaid = 5 * time.Minute
)

// lastPush is how long the push at the end may take.
const lastPush = 5 * time.Second

// Publisher takes the snapshots of a target as they are committed; *metrics.Exposition is one.
type Publisher interface {
	Publish(target string, s *metrics.Snapshot)
}

// Pusher pushes what is published to it, what the registry gathers, and events. It holds the last snapshot of each target
// and no other: however long the receiver is away, what is pushed afterwards is what is true then. Sums are cumulative,
// so nothing is lost by that.
type Pusher struct {
	config  Config
	now     func() time.Time
	log     *slog.Logger
	health  *metrics.PushHealth
	metrics sender // nil: not pushed
	logs    sender // nil: not pushed
	encoder *encoder
	queue   *queue
	backoff func(failures int) time.Duration

	mu        sync.Mutex
	snapshots map[string]*metrics.Snapshot
	committed chan struct{} // holds one while there is something new
}

// Options of a Pusher.
type Options struct {
	Identity Identity
	// Registry holds the exporter's own health, which is pushed too, and gets the families of the pushes.
	Registry interface {
		prometheus.Registerer
		prometheus.Gatherer
	}
	// Now is the time of points; nil is the machine's own.
	Now func() time.Time
	Log *slog.Logger
}

// New prepares a pusher for a configuration that is Enabled. It connects to nobody yet.
func New(c Config, o Options) (*Pusher, error) {
	p := &Pusher{
		config: c, now: o.Now, log: o.Log,
		snapshots: map[string]*metrics.Snapshot{}, committed: make(chan struct{}, 1),
		backoff: wait,
	}
	if p.now == nil {
		p.now = time.Now
	}
	agent := "abs-exporter/" + cmp.Or(o.Identity.Version, "unknown")
	resource, scope := encodeResource(c.Resource(o.Identity)), encodeScope(o.Identity.Version)
	var signals []string
	var errs []error
	if c.Metrics != nil {
		signals = append(signals, metrics.SignalMetrics)
		s, err := newSender(c.Metrics, serviceMetrics, agent)
		p.metrics, errs = s, append(errs, err)
		p.encoder = newEncoder(resource, scope, largestRequest, o.Registry)
	}
	if c.Logs != nil {
		signals = append(signals, metrics.SignalLogs)
		s, err := newSender(c.Logs, serviceLogs, agent)
		p.logs, errs = s, append(errs, err)
		p.queue = newQueue(resource, scope)
	}
	if err := errors.Join(errs...); err != nil {
		p.close()
		return nil, err
	}
	for _, s := range []*Signal{c.Metrics, c.Logs} {
		if s != nil && s.URL.Scheme == "http" && (len(s.Headers) > 0 || s.HeadersFile != "") {
			o.Log.Warn("headers go to the OTLP receiver without TLS: anyone on the way can read them", "receiver", s.URL.Host)
		}
	}
	p.health = metrics.NewPushHealth(o.Registry, signals...)
	return p, nil
}

// Tee publishes to next, and pushes soon after.
func (p *Pusher) Tee(next Publisher) Publisher { return tee{p, next} }

type tee struct {
	pusher *Pusher
	next   Publisher
}

// Publish implements Publisher.
func (t tee) Publish(target string, s *metrics.Snapshot) {
	t.next.Publish(target, s)
	t.pusher.publish(target, s)
}

func (p *Pusher) publish(target string, s *metrics.Snapshot) {
	if p.metrics == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == nil {
		delete(p.snapshots, target)
	} else {
		p.snapshots[target] = s
	}
	select {
	case p.committed <- struct{}{}:
	default:
	}
}

// Run pushes until ctx ends, and then once more. It returns nil: nothing that a receiver does ends the exporter.
func (p *Pusher) Run(ctx context.Context) error {
	defer p.close()
	var both sync.WaitGroup
	if p.metrics != nil {
		both.Go(func() { p.runMetrics(ctx) })
	}
	if p.logs != nil {
		both.Go(func() { p.runLogs(ctx) })
	}
	both.Wait()
	return nil
}

// Close gives up the connections of a pusher that is not run. After Run it does nothing.
func (p *Pusher) Close() { p.close() }

func (p *Pusher) close() {
	for _, s := range []sender{p.metrics, p.logs} {
		if s != nil {
			s.close()
		}
	}
}

// wait is how long to wait after that many failures in a row: doubling, and spread, so that many exporters do not come
// back at once.
func wait(failures int) time.Duration {
	longest := min(longestWait, firstWait<<min(failures-1, 10))
	return longest/2 + rand.N(longest/2+1) //nolint:gosec // it guards nothing
}

// pause is how long to wait after a failure.
func (p *Pusher) pause(failures int, err error) time.Duration {
	d := p.backoff(failures)
	if r := (*refusal)(nil); errors.As(err, &r) {
		d = max(d, min(r.after, longestSaid))
	}
	return d
}

func (p *Pusher) runMetrics(ctx context.Context) {
	n := notice{log: p.log, what: "metrics"}
	timer := time.NewTimer(0) // the registry is there already
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPush)
			_ = p.pushMetrics(last, true, &n) // the log has told of it
			cancel()
			return
		case <-p.committed:
		case <-timer.C:
		}
		err := p.pushMetrics(ctx, false, &n)
		if err == nil {
			failures = 0
			timer.Reset(p.encoder.wait(p.config.Interval, time.Now()))
			continue
		}
		if ctx.Err() != nil {
			continue
		}
		// Commits do not cut the wait short; what they brought is pushed after it.
		failures++
		timer.Reset(p.pause(failures, err))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Reset(0)
	}
}

// pushMetrics tells the receiver of what is due. An error means that it is worth trying again soon.
func (p *Pusher) pushMetrics(ctx context.Context, everything bool, n *notice) error {
	p.mu.Lock()
	snapshots := maps.Clone(p.snapshots)
	p.mu.Unlock()
	now, begun := p.encoder.stamp(p.now()), time.Now()
	due := func(t *target, s *metrics.Snapshot) bool {
		return everything || t.pushed != s || begun.Sub(t.at) >= p.config.Interval
	}
	whole := true
	err := p.encoder.push(snapshots, due, now, begun, func(b *buffer, points int) error {
		r, err := p.metrics.send(ctx, b)
		if err == nil {
			if !p.took(metrics.SignalMetrics, r, n) {
				whole, p.encoder.unsure = false, true
			}
			return nil
		}
		p.health.Requests.WithLabelValues(metrics.SignalMetrics, metrics.OutcomeFailure).Inc()
		refused := (*refusal)(nil)
		if ctx.Err() != nil || !errors.As(err, &refused) || refused.retry {
			return err
		}
		if refused.tooLarge && p.encoder.shrink() {
			return err // smaller ones, soon
		}
		// It would be refused again. What it told is told anew by the next push anyway.
		whole, p.encoder.unsure = false, true
		p.health.Dropped.WithLabelValues(metrics.SignalMetrics).Add(float64(points))
		n.failed(p.now(), err, "the points of this request are not told; the next push tells of all series again")
		return nil
	})
	switch {
	case err != nil:
		if everything || ctx.Err() == nil { // else it was cut short by the end, and the last push comes next
			n.failed(p.now(), err, "the next push tells the same and what is new: sums are cumulative")
		}
	case whole:
		p.encoder.grow(now)
		n.succeeded(p.now())
		p.succeeded(metrics.SignalMetrics)
	}
	return err
}

// took notes that the receiver took a request, and tells whether it took all of it.
func (p *Pusher) took(signal string, r reply, n *notice) bool {
	if r.rejected == 0 {
		if r.message != "" {
			n.refusedSome(p.now(), r) // a warning
		}
		p.health.Requests.WithLabelValues(signal, metrics.OutcomeSuccess).Inc()
		return true
	}
	p.health.Requests.WithLabelValues(signal, metrics.OutcomePartial).Inc()
	p.health.Dropped.WithLabelValues(signal).Add(float64(r.rejected))
	n.refusedSome(p.now(), r)
	return false
}

func (p *Pusher) succeeded(signal string) {
	p.health.LastSuccess.WithLabelValues(signal).Set(float64(p.now().UnixNano()) / 1e9)
}
