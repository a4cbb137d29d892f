package otlp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"
)

// sender takes requests to a receiver, each once: what failed is made anew from what is true then.
type sender interface {
	// send releases the buffer when nothing reads it any more, which may be after it has returned.
	send(ctx context.Context, b *buffer) (reply, error)
	close()
}

// reply is what a receiver that took a request says of it.
type reply struct {
	rejected int64  // points or records that it refused
	message  string // why, in its words; may be there with nothing refused
}

// refusal is a request that failed.
type refusal struct {
	text     string
	retry    bool          // it may go well later
	after    time.Duration // not before this; 0: the receiver did not say
	tooLarge bool          // a smaller one may go well
}

func (e *refusal) Error() string { return e.text }

// newSender opens no connection yet.
func newSender(s *Signal, service, userAgent string) (sender, error) {
	config, err := s.tls()
	if err != nil {
		return nil, err
	}
	h := &headers{fixed: s.Headers, file: s.HeadersFile, fixedFirst: s.OwnHeaders}
	if s.Protocol == ProtocolGRPC {
		return newGRPCSender(s, service, userAgent, config, h)
	}
	return newHTTPSender(s, userAgent, config, h), nil
}

// tls is nil for a receiver without TLS. The client's certificate is read anew for each connection.
func (s *Signal) tls() (*tls.Config, error) {
	if s.URL.Scheme != "https" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no PEM certificate", s.CAFile)
		}
	}
	if s.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
			return &pair, err
		}
	}
	return config, nil
}

// headers are those of the configuration, names in lower case. The values are secrets.
type headers struct {
	fixed      map[string]string
	file       string
	fixedFirst bool // they go before the file's
}

func (h *headers) read() (map[string]string, error) {
	if h.file == "" {
		return h.fixed, nil
	}
	all, err := readHeaders(h.file)
	if err != nil {
		return nil, &refusal{text: "the headers cannot be read: " + err.Error(), retry: true}
	}
	for name, value := range h.fixed {
		if _, ok := all[name]; !ok || h.fixedFirst {
			all[name] = value
		}
	}
	return all, nil
}

// longestText is how much of a receiver's words is repeated.
const longestText = 200

// plainText makes what a receiver says fit for a log: one line, not long, and without the headers that it was sent.
func plainText(text string, sent map[string]string) string {
	for _, secret := range sent {
		for _, part := range append(strings.Fields(secret), secret) {
			if len(part) >= 4 {
				text = strings.ReplaceAll(text, part, "[header]")
			}
		}
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longestText {
		text = string(runes[:longestText]) + "…"
	}
	return text
}

var errReply = errors.New("the receiver's answer is no OTLP response")

// parseReply reads an ExportMetricsServiceResponse or ExportLogsServiceResponse; they are alike.
func parseReply(b []byte) (reply, error) {
	var r reply
	err := eachField(b, func(number protowire.Number, message []byte, _ uint64) error {
		if number != fieldPartialSuccess || message == nil {
			return nil
		}
		return eachField(message, func(number protowire.Number, text []byte, n uint64) error {
			switch {
			case number == fieldRejected && text == nil:
				r.rejected = max(0, int64(n)) //nolint:gosec // an int64 travels so
			case number == fieldErrorMessage && text != nil:
				r.message = string(text)
			}
			return nil
		})
	})
	return r, err
}

// eachField calls do with the bytes of each field that has some (not nil then), and the number of each that is one.
func eachField(b []byte, do func(protowire.Number, []byte, uint64) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errReply
		}
		b = b[n:]
		var bytes []byte
		var value uint64
		switch kind {
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
			if bytes == nil {
				bytes = []byte{}
			}
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return errReply
		}
		b = b[n:]
		if err := do(number, bytes, value); err != nil {
			return err
		}
	}
	return nil
}
