package otlp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/abs-exporter/abs-exporter/metrics"
)

const (
	largestAnswer = 64 << 10        // of which anything is read
	longestPause  = 5 * time.Minute // that a receiver may ask for
	quiet         = 5 * time.Minute // in which a failure that goes on is not logged again
	tooLarge      = "; a smaller --otlp.batch-size may help"
)

// link is what each request of a signal passes through, below the exporter that encodes and retries
// it: as an interceptor or round tripper it adds the headers, limits the time, counts, logs, and
// replaces the receiver's words, which may repeat what it was sent.
type link struct {
	signal, consequence string // consequence of a failure, for the log
	headers             func() (map[string]string, error)
	timeout             time.Duration
	transport           *http.Transport // of HTTP
	close               func()
	health              *metrics.PushHealth
	log                 *slog.Logger

	mu                           sync.Mutex
	pause                        time.Time // until when the receiver asked to be left alone
	since, logged, partialLogged time.Time // since: of a failure that goes on; zero: there is none
	partial                      bool      // items of this push were rejected
}

// failure is why a request failed, in our words. The exporters retry it if it is retryable, even
// where they would not by themselves: the connection is refused.
type failure struct {
	reason    string
	retryable bool
	pause     time.Duration // that the receiver asked for
}

func (f *failure) Error() string   { return f.reason }
func (f *failure) Temporary() bool { return f.retryable } // for the HTTP exporters, by url.Error

// GRPCStatus is for the gRPC exporters.
func (f *failure) GRPCStatus() *status.Status {
	if f.retryable {
		return status.New(codes.Unavailable, f.reason)
	}
	return status.New(codes.InvalidArgument, f.reason)
}

// do makes one request by send. Its error is a *failure.
func (l *link) do(ctx context.Context, send func(ctx context.Context, headers map[string]string) *failure) error {
	l.mu.Lock()
	pause := l.pause
	l.mu.Unlock()
	wait := time.After(time.Until(pause))
	if deadline, limited := ctx.Deadline(); limited && !deadline.After(pause) {
		wait = nil // else a request may go out as the pause ends, cut at once, and the next after it
	}
	select {
	case <-ctx.Done():
		return &failure{reason: "there was no time left", retryable: true}
	case <-wait:
	}
	limited, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	var f *failure
	if headers, err := l.headers(); err != nil {
		f = &failure{reason: "the headers cannot be read: " + err.Error(), retryable: true}
	} else if f = send(limited, headers); f == nil {
		return nil
	}
	if limited.Err() != nil {
		f = &failure{reason: "no answer within " + l.timeout.String(), retryable: true}
	}
	if !errors.Is(ctx.Err(), context.Canceled) { // else the end cut it short
		l.failed(f)
	}
	return f
}

// intercept is a grpc.UnaryClientInterceptor.
func (l *link) intercept(
	ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	return l.do(ctx, func(ctx context.Context, headers map[string]string) *failure {
		var reached peer.Peer
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(headers))
		err := invoke(ctx, method, req, reply, conn, append(opts, grpc.Peer(&reached))...)
		if err == nil {
			return nil
		}
		s := status.Convert(err)
		if s.Code() == codes.Unavailable && reached.Addr == nil { // the words are this machine's
			return &failure{reason: s.Message(), retryable: true}
		}
		return refusalGRPC(s)
	})
}

func refusalGRPC(s *status.Status) *failure {
	f := &failure{reason: "the receiver answers " + s.Code().String()}
	withRetryInfo := false
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			withRetryInfo, f.pause = true, info.GetRetryDelay().AsDuration()
		}
	}
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.Unavailable, codes.DataLoss:
		f.retryable = true
	case codes.ResourceExhausted, codes.OutOfRange: // receivers say the latter of large messages only
		f.retryable = withRetryInfo || s.Code() == codes.OutOfRange
		if !withRetryInfo {
			f.reason += tooLarge
		}
	}
	return f
}

// RoundTrip implements http.RoundTripper. It returns only answers that say yes, so that no redirect
// takes the headers elsewhere.
func (l *link) RoundTrip(req *http.Request) (taken *http.Response, err error) {
	err = l.do(req.Context(), func(ctx context.Context, headers map[string]string) *failure {
		req = req.Clone(ctx)
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		var answer []byte
		resp, err := l.transport.RoundTrip(req)
		if err == nil {
			answer, err = io.ReadAll(io.LimitReader(resp.Body, largestAnswer+1)) //nolint:forbidigo // limited
			_ = resp.Body.Close()                                                // only read from
		}
		if err != nil {
			return &failure{reason: localWords(err), retryable: true}
		}
		kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // empty if it is none
		if resp.StatusCode/100 != 2 || kind == "text/html" {
			return refusalHTTP(resp, kind)
		}
		if len(answer) > largestAnswer {
			answer = nil // whatever it says, it took the request
		}
		resp.Header.Set("Content-Type", kind) // the exporters know it without parameters only
		resp.Body = io.NopCloser(bytes.NewReader(answer))
		taken = resp
		return nil
	})
	return taken, err
}

func refusalHTTP(resp *http.Response, kind string) *failure {
	code := resp.StatusCode
	f := &failure{reason: fmt.Sprintf("the receiver answers %d %s", code, http.StatusText(code))}
	switch code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.retryable = true
		after := resp.Header.Get("Retry-After")
		seconds, _ := strconv.ParseUint(after, 10, 32) // 0 if it is a date
		f.pause = time.Duration(seconds) * time.Second
		if at, err := http.ParseTime(after); err == nil {
			f.pause = time.Until(at)
		}
	case http.StatusRequestEntityTooLarge:
		f.reason += tooLarge
	default:
		if kind == "text/html" {
			f.reason += " and a page: is it an OTLP receiver?"
		}
	}
	return f
}

// localWords returns the text of an error that this machine made: others may quote the receiver.
func localWords(err error) string {
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return network.Error()
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return certificate.Error()
	}
	return "the connection failed before there was a whole answer"
}

// failed counts and logs a request that failed.
func (l *link) failed(f *failure) {
	l.health.Requests.WithLabelValues(l.signal, metrics.OutcomeFailure).Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.pause = now.Add(min(f.pause, longestPause))
	if l.since.IsZero() {
		l.since = now
	}
	if now.Sub(l.logged) >= quiet {
		l.log.Warn("OTLP push failed", "signal", l.signal, "err", f.reason, "consequence", l.consequence, "since", l.since.UTC())
		l.logged = now
	}
}

// exported counts a request if the receiver took it, and reports whether; if not, whether that may
// pass. The exporters report a partial success by an error of an internal type.
func (l *link) exported(err error) (ok, retryable bool) {
	rejected, outcome := 0, metrics.OutcomeSuccess
	if err != nil {
		text := err.Error()
		if !strings.Contains(text, "OTLP partial success: ") {
			f, known := errors.AsType[*failure](err)
			return false, !known || f.retryable
		}
		// It ends as in "(7 logs rejected)". If that changes, the count is 0.
		_, _ = fmt.Sscan(text[strings.LastIndexByte(text, '(')+1:], &rejected)
	}
	if rejected > 0 { // else it is a remark of the receiver, and nothing is lost
		outcome = metrics.OutcomePartial
		l.dropped(rejected)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.partial = true
		if time.Since(l.partialLogged) >= quiet {
			l.partialLogged = time.Now()
			l.log.Warn("OTLP receiver rejected items of a push", "signal", l.signal, "rejected", rejected)
		}
	}
	l.health.Requests.WithLabelValues(l.signal, outcome).Inc()
	return true, false
}

func (l *link) dropped(items int) { l.health.Dropped.WithLabelValues(l.signal).Add(float64(items)) }

// pushed notes that the receiver took all requests of a push.
func (l *link) pushed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.partial {
		l.health.LastSuccess.WithLabelValues(l.signal).SetToCurrentTime()
		if !l.since.IsZero() {
			l.log.Info("OTLP push recovered", "signal", l.signal, "after", time.Since(l.since).Round(time.Second).String())
			l.since = time.Time{} // logged stays: a receiver that comes and goes does not fill the log
		}
	}
	l.partial = false
}
