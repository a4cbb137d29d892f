package metrics

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// acceptedFormats are promhttp's less the two protobuf texts that are for debugging only; who asks for those gets text.
func acceptedFormats() []expfmt.Format {
	return []expfmt.Format{
		expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtOpenMetrics_0_0_1, expfmt.FmtProtoDelim, expfmt.FmtText,
	}
}

// negotiate chooses the format and its content type as promhttp does.
func negotiate(h http.Header) (format, string) {
	chosen := expfmt.NegotiateAccept(h, acceptedFormats()...)
	if chosen.ToEscapingScheme() == model.DotsEscaping {
		// This scheme alone would rewrite names that need no escaping. It is not offered, and the answer says so.
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

// acceptsGzip tells whether gzip is asked for, and not less than no compression is.
func acceptsGzip(h http.Header) bool {
	var gzip, identity float64
	for _, line := range h.Values("Accept-Encoding") {
		for offer := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(offer, ";")
			quality := 1.0
			for param := range strings.SplitSeq(params, ";") {
				name, value, _ := strings.Cut(param, "=")
				if strings.EqualFold(strings.TrimSpace(name), "q") {
					q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
					if err != nil || !(q >= 0 && q <= 1) {
						q = 0 // not understood: not asked for
					}
					quality = q
				}
			}
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"):
				gzip = quality
			case strings.EqualFold(coding, "identity"):
				identity = quality
			}
		}
	}
	return gzip > 0 && gzip >= identity
}

// ServeHTTP answers a scrape: text 0.0.4, OpenMetrics 1.0.0 or 0.0.1, or delimited protobuf, gzip or not, as asked for.
func (e *Exposition) ServeHTTP(w http.ResponseWriter, r *http.Request) { e.handler.ServeHTTP(w, r) }

func (e *Exposition) serve(w http.ResponseWriter, r *http.Request) {
	f, contentType := negotiate(r.Header)
	gzip := acceptsGzip(r.Header)
	p := e.current.Load()

	// The snapshots' part first: where this scrape has to render it, the health behind it should not be old by then.
	var stored *body // nil: too large to be kept plain
	if gzip {
		stored = e.packedBody(p, f)
	} else {
		stored = e.plainBody(p, f)
	}
	health := e.tails.get(tailKey{format: f, deflate: gzip})
	if health.err != nil {
		e.gatherFailed(health.err)
	}

	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Add("Vary", "Accept")
	h.Add("Vary", "Accept-Encoding")
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
	switch {
	case gzip:
		length := int64(len(gzipHeader)) + stored.size + int64(len(health.deflated)) + gzipTrailerSize
		h.Set("Content-Length", strconv.FormatInt(length, 10))
	case stored != nil:
		h.Set("Content-Length", strconv.FormatInt(stored.plain+int64(len(health.plain)), 10))
	}
	if r.Method == http.MethodHead {
		return
	}

	// An error from here on means that the scraper has gone; there is nobody to tell.
	switch {
	case gzip:
		_ = send(w, text(gzipHeader), stored.copyTo, bytesOf(health.deflated), bytesOf(gzipTrailer(stored, health.plain)))
	case stored == nil:
		_ = send(w, func(w io.Writer) error { return e.stream(p, f, w) }, bytesOf(health.plain))
	default:
		_ = send(w, stored.copyTo, bytesOf(health.plain))
	}
}

// gatherFailed counts and tells that health metrics are missing from a scrape.
func (e *Exposition) gatherFailed(err error) {
	if e.errors != nil {
		e.errors.WithLabelValues(causeGathering).Inc()
	}
	if e.options.Logger != nil {
		e.options.Logger.Error("some of the exporter's own metrics are missing from a scrape", "err", err)
	}
}

// send writes the parts one after the other until one fails.
func send(w io.Writer, parts ...func(io.Writer) error) error {
	for _, part := range parts {
		if err := part(w); err != nil {
			return err
		}
	}
	return nil
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func bytesOf(p []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(p)
		return err
	}
}
