package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip" // registers the compressor that UseCompressor names
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The services of OTLP.
const (
	serviceMetrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
	serviceLogs    = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
)

// grpcSender speaks OTLP/gRPC.
type grpcSender struct {
	conn    *grpc.ClientConn
	method  string
	headers *headers
	timeout time.Duration
	options []grpc.CallOption
}

func newGRPCSender(s *Signal, service, userAgent string, config *tls.Config, h *headers) (sender, error) {
	transport := insecure.NewCredentials()
	if config != nil {
		transport = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(s.URL.Host,
		grpc.WithTransportCredentials(transport),
		grpc.WithUserAgent(userAgent),
		// What is sent again is made anew, by the pusher.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect(), MinConnectTimeout: 5 * time.Second}),
		grpc.WithKeepaliveParams(alive),
	)
	if err != nil {
		return nil, err
	}
	g := &grpcSender{
		conn: conn, method: service, headers: h, timeout: s.Timeout,
		options: []grpc.CallOption{grpc.ForceCodecV2(rawCodec{}), grpc.StaticMethod()},
	}
	if s.Gzip {
		g.options = append(g.options, grpc.UseCompressor("gzip"))
	}
	return g, nil
}

// alive ends connections to a receiver that is lost without a word, which TCP alone notices after some 15 minutes. Timeout
// does it: it is also the TCP_USER_TIMEOUT of what is sent. Time is above the 5 minutes at which servers by default take
// offence.
var alive = keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: 20 * time.Second}

// reconnect is gRPC's own backoff, with an end that is no longer than the pusher's: a receiver that is back should not
// have to wait two minutes for the next attempt to connect.
func reconnect() backoff.Config {
	c := backoff.DefaultConfig
	c.MaxDelay = longestWait / 2
	return c
}

func (g *grpcSender) close() { _ = g.conn.Close() } // it fails only when closed already

func (g *grpcSender) send(ctx context.Context, b *buffer) (reply, error) {
	request := &outgoing{b: b}
	defer request.unused() // if it never came to encoding
	sent, err := g.headers.read()
	if err != nil {
		return reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if len(sent) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(sent))
	}
	var answer incoming
	if err := g.conn.Invoke(ctx, g.method, request, &answer, g.options...); err != nil {
		return reply{}, g.refused(err, sent)
	}
	answer.message = plainText(answer.message, sent)
	return answer.reply, nil
}

func (g *grpcSender) refused(err error, sent map[string]string) error {
	s := status.Convert(err)
	e := &refusal{text: "the receiver answers " + s.Code().String() + ": " + plainText(s.Message(), sent)}
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			e.retry, e.after = true, info.GetRetryDelay().AsDuration()
		}
	}
	switch s.Code() {
	case codes.DeadlineExceeded:
		e.retry, e.text = true, "no answer within "+g.timeout.String()
	case codes.Unavailable, codes.Canceled, codes.Aborted, codes.OutOfRange, codes.DataLoss:
		e.retry = true
	case codes.ResourceExhausted:
		// Without RetryInfo this is how gRPC itself refuses a message past its limit.
		e.tooLarge = !e.retry
	default:
		e.retry = false
	}
	return e
}

// rawCodec hands requests over as they are: they were encoded by hand.
type rawCodec struct{}

// outgoing is a buffer on its way through gRPC.
type outgoing struct {
	b     *buffer
	taken bool
}

func (o *outgoing) unused() {
	if !o.taken {
		o.b.release()
	}
}

// incoming is an answer.
type incoming struct{ reply }

var errCodec = errors.New("otlp: not one of its own messages")

// Marshal implements encoding.CodecV2. gRPC gives the buffer back when its last byte is written.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	o, ok := v.(*outgoing)
	if !ok {
		return nil, errCodec
	}
	data := o.b.request()
	if mem.IsBelowBufferPoolingThreshold(cap(data)) {
		return mem.BufferSlice{mem.SliceBuffer(append([]byte(nil), data...))}, nil // gRPC would never give it back
	}
	o.taken = true
	return mem.BufferSlice{mem.NewBuffer(&data, givenBack{o.b})}, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*incoming)
	if !ok {
		return errCodec
	}
	var err error
	in.reply, err = parseReply(data.Materialize())
	return err
}

// Name implements encoding.CodecV2; it becomes the content type.
func (rawCodec) Name() string { return "proto" }

// givenBack is the pool of one buffer.
type givenBack struct{ b *buffer }

// Get implements mem.BufferPool; nobody gets anything from here.
func (givenBack) Get(length int) *[]byte {
	b := make([]byte, length)
	return &b
}

// Put implements mem.BufferPool.
func (g givenBack) Put(*[]byte) { g.b.release() }
