package otelenv

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/abs-exporter/abs-exporter/abs/regular"
)

// headers are those of a receiver. Their values are secrets: no error contains one.
type headers struct {
	fixed     map[string]string // of a variable, names in lower case
	file      string            // one "name: value" a line; empty: none
	preceding bool              // fixed precedes the file: it is of a variable for this signal
	grpc      bool              // which takes less than HTTP
}

// read returns the headers of one request, names in lower case.
func (h *headers) read() (map[string]string, error) {
	if h.file == "" {
		return h.fixed, nil
	}
	data, err := regular.ReadFile(h.file)
	if err != nil {
		return nil, err
	}
	all, line := map[string]string{}, 0
	for text := range strings.Lines(string(data)) {
		line++
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if err := h.add(all, name, value); err != nil || !ok {
			return nil, fmt.Errorf("%s:%d: %w", h.file, line, errors.Join(err, errors.New("must be a header, name: value")))
		}
	}
	for name, value := range h.fixed {
		if _, ok := all[name]; !ok || h.preceding {
			all[name] = value
		}
	}
	return all, nil
}

// parse reads the value of OTEL_EXPORTER_OTLP_HEADERS.
func (h *headers) parse(text string) error {
	h.fixed = map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(value)
		if !ok || err != nil {
			return errors.New("must be name=value, with commas between pairs and values percent-encoded")
		}
		if err := h.add(h.fixed, name, decoded); err != nil {
			return err
		}
	}
	return nil
}

// add refuses what could not be sent. Names that differ only in case are one.
func (h *headers) add(all map[string]string, name, value string) error {
	name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) }) {
		return errors.New("a name of a header cannot be sent")
	}
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && (c != '\t' || h.grpc) || c == 0x7f || c > '~' && h.grpc }) {
		return fmt.Errorf("the value of header %s contains a character that cannot be sent", name)
	}
	all[name] = value
	return nil
}
