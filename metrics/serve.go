package metrics

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// acceptedFormats returns promhttp's formats without the two protobuf texts, which are for
// debugging; a client that accepts only those gets text.
func acceptedFormats() []expfmt.Format {
	return []expfmt.Format{
		expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtProtoDelim, expfmt.FmtText,
	}
}

// negotiate selects the format and its content type as promhttp does.
func negotiate(h http.Header) (format, string) {
	chosen := expfmt.NegotiateAccept(h, acceptedFormats()...)
	if chosen.ToEscapingScheme() == model.DotsEscaping {
		// Only this scheme would rewrite names that need no escaping. It is not supported, and the
		// content type says so.
		chosen = chosen.WithEscapingScheme(model.UnderscoreEscaping)
	}
	switch chosen.FormatType() {
	case expfmt.TypeOpenMetrics:
		return formatOpenMetrics, string(chosen)
	case expfmt.TypeProtoDelim:
		return formatProtobuf, string(chosen)
	default:
		return formatText, string(chosen)
	}
}

// acceptsGzip reports whether gzip is accepted, and preferred to no compression or equal to it.
func acceptsGzip(h http.Header) bool {
	var gzip, identity float64
	for _, line := range h.Values("Accept-Encoding") {
		for offer := range strings.SplitSeq(strings.ToLower(line), ",") {
			coding, params, _ := strings.Cut(offer, ";")
			switch strings.TrimSpace(coding) {
			case "gzip":
				gzip = quality(params)
			case "identity":
				identity = quality(params)
			}
		}
	}
	return gzip > 0 && gzip >= identity
}

// quality returns the q among the parameters of a coding: 1 if there is none, 0 if it is malformed.
func quality(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(param, "="); strings.TrimSpace(name) == "q" {
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}

// ServeHTTP serves a scrape: text 0.0.4, OpenMetrics 1.0.0 or 0.0.1, or delimited protobuf,
// compressed with gzip or not, as the request accepts.
func (e *Exposition) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

func (e *Exposition) serve(w http.ResponseWriter, r *http.Request) {
	f, contentType := negotiate(r.Header)
	gzip := acceptsGzip(r.Header)
	p := e.current.Load()

	// The snapshots first: where this scrape has to render them, the registry's metrics should not
	// be old by then.
	var snapshots *body // nil: too large to be kept plain
	if gzip {
		snapshots = p.compressed[f]()
	} else {
		snapshots = p.plain[f]()
	}
	health := e.registry.get(registryBodyKey{format: f, deflate: gzip})
	if health.err != nil {
		e.gatherFailed(health.err)
	}

	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept")
	h.Add("Vary", "Accept-Encoding")
	header := gzipHeader()
	switch {
	case gzip:
		h.Set("Content-Encoding", "gzip")
		length := int64(len(header)) + snapshots.size + int64(len(health.deflated)) + gzipTrailerSize
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	case snapshots != nil:
		h.Set("Content-Length", strconv.FormatInt(snapshots.plain+int64(len(health.plain)), 10))
	}
	if r.Method == http.MethodHead {
		return
	}

	out := &scraper{w: w}
	if gzip {
		out.send(header)
		out.send(snapshots.chunks...)
		out.send(health.deflated, gzipTrailer(snapshots, health.plain))
		return
	}
	if snapshots != nil {
		out.send(snapshots.chunks...)
	} else {
		e.render(p, f, out)
	}
	out.send(health.plain)
}

// atMost answers so many requests at once, and refuses the others, which may come again.
func atMost(n int, h http.Handler) http.Handler {
	running := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
			h.ServeHTTP(w, r)
		default:
			http.Error(w, "as many scrapes as --web.max-requests allows ("+strconv.Itoa(n)+") are being answered; try again later", http.StatusServiceUnavailable)
		}
	})
}

// gatherFailed counts and logs that health metrics are missing from a scrape.
func (e *Exposition) gatherFailed(err error) {
	if e.errors != nil {
		e.errors.WithLabelValues(causeGathering).Inc()
	}
	if e.options.Logger != nil {
		e.options.Logger.Error("some of the exporter's own metrics are missing from a scrape", "err", err)
	}
}

// scraper is the connection to a scraper. An error means that the scraper has gone: there is nobody
// to report it to, and the rest is dropped.
type scraper struct {
	w    io.Writer
	gone bool
}

// Write never fails.
func (s *scraper) Write(p []byte) (int, error) {
	if !s.gone {
		_, err := s.w.Write(p)
		s.gone = err != nil
	}
	return len(p), nil
}

func (s *scraper) send(chunks ...[]byte) {
	for _, chunk := range chunks {
		_, _ = s.Write(chunk)
	}
}
