package jsonscan

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

var errRefused = errors.New("refused")

func newScanner(body string) *Scanner {
	s := New(func(f Failure) error { return errors.Join(errRefused, errors.New(f.Detail)) })
	s.Reset(iotest.OneByteReader(strings.NewReader(body)), 0)
	return s
}

// Whole numbers are counts in every notation of JSON; nothing else is.
func TestCount(t *testing.T) {
	const negative, fraction, past, other = "the count is negative", "the count has a fraction", "the count is past 2^53", "the count is not a number"
	zeros := strings.Repeat("0", 300_000)
	for _, c := range []struct {
		text    string
		n       int64
		problem string
	}{
		{"0", 0, ""},
		{"7", 7, ""},
		{"1234567890123456", 1234567890123456, ""},
		{"9007199254740992", 1 << 53, ""},
		{"3.0", 3, ""},
		{"3.000", 3, ""},
		{"0.0", 0, ""},
		{"-0", 0, ""},
		{"-0.0e7", 0, ""},
		{"0e400", 0, ""},
		{"1.2345678E7", 12345678, ""},
		{"1.2345678e+7", 12345678, ""},
		{"120e-1", 12, ""},
		{"1200.0e-2", 12, ""},
		{"0.05e2", 5, ""},
		{"1e0", 1, ""},
		{"1e15", 1e15, ""},
		{"9007199254740992.0", 1 << 53, ""},
		{"9.007199254740992e15", 1 << 53, ""},
		{"90071992547409920e-1", 1 << 53, ""},
		{"1" + zeros + "e-300000", 1, ""},
		{"0." + zeros + "5e300001", 5, ""},
		{"5.5", 0, fraction},
		{"1e-1", 0, fraction},
		{"1e-999999999999999999999", 0, fraction},
		{"120e-2", 0, fraction},
		{"1." + zeros + "1", 0, fraction},
		{"9007199254740992.5", 0, fraction},
		{"123456789012345678901234567890e-1000", 0, fraction},
		{"9007199254740993", 0, past},
		{"9007199254740993.0", 0, past},
		{"90071992547409930e-1", 0, past},
		{"1e400", 0, past},
		{"1e16", 0, past},
		{"1e999999999999999999999", 0, past},
		{strings.Repeat("9", 400), 0, past},
		{"1" + zeros, 0, past},
		{"-1", 0, negative},
		{"-0.1", 0, negative},
		{"-1e400", 0, negative},
		{"null", 0, other},
		{"true", 0, other},
		{`"1"`, 0, other},
		{`{"a":[1]}`, 0, other},
		{"[3]", 0, other},
	} {
		s := newScanner(c.text + " ,")
		n, problem := s.Count(0)
		if n != c.n || problem != c.problem || s.Err() != nil || s.Peek() != ',' {
			t.Errorf("%.40s is %d, %q (%v), next %q; want %d, %q", c.text, n, problem, s.Err(), s.Peek(), c.n, c.problem)
		}
	}
	for _, text := range []string{"", "-", "-.5", "1.", "1.e3", "1e", "1e+", "01", "-01", "00", ".5", "+1", "1.5e", "9007199254740993.", "nul", `"1`, "[1"} {
		s := newScanner(`[` + text + `]`)
		for range s.Elements() {
			s.Count(1)
		}
		s.Finish()
		if s.Err() == nil && text != "" {
			t.Errorf("%s was read", text)
		}
	}
}
