package readers

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
)

// Filter escapes control characters inside strings, which ABS's reports have and JSON forbids:
// every library needs it. It has to find where strings begin and end.
type Filter struct {
	r        io.Reader
	out      []byte // escaped, not yet handed out
	inString bool
	escaped  bool
	err      error
}

// NewFilter returns a Filter of r.
func NewFilter(r io.Reader) *Filter { return &Filter{r: r} }

// Read implements io.Reader.
func (f *Filter) Read(p []byte) (int, error) {
	if len(f.out) > 0 {
		n := copy(p, f.out)
		f.out = f.out[n:]
		return n, nil
	}
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.r.Read(p)
	f.err = err
	from := f.clean(p[:n])
	if from == n {
		return n, err
	}
	// Rare: from the first control character on, everything is rewritten.
	var out []byte
	for left := p[from:n]; len(left) > 0; {
		const digits = "0123456789abcdef"
		c := left[0] // a control character
		out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		left = left[1:]
		next := f.clean(left)
		out = append(out, left[:next]...)
		left = left[next:]
	}
	copied := copy(p[from:], out)
	f.out = out[copied:]
	return from + copied, nil
}

// clean scans p up to a control character in a string, and returns its index, or the length of p.
func (f *Filter) clean(p []byte) int {
	for i := 0; i < len(p); {
		switch {
		case f.escaped:
			f.escaped = false // what it escapes is for the reader to judge
			i++
		case f.inString:
			i += plain8(p[i:])
			if i == len(p) {
				break
			}
			switch c := p[i]; {
			case c == '"':
				f.inString = false
			case c == '\\':
				f.escaped = true
			case c < ' ':
				return i
			}
			i++
		default:
			quote := bytes.IndexByte(p[i:], '"')
			if quote < 0 {
				return len(p)
			}
			f.inString = true
			i += quote + 1
		}
	}
	return len(p)
}

// plain8 returns how many bytes of p are neither quote, backslash nor control characters, up to the
// first that may be one. It checks eight at once.
func plain8(p []byte) (i int) {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	for ; i+8 <= len(p); i += 8 {
		x := binary.LittleEndian.Uint64(p[i:])
		quote, escape := x^('"'*ones), x^('\\'*ones)
		stop := ((x-0x20*ones)&^x | (quote-ones)&^quote | (escape-ones)&^escape) & highs
		if stop != 0 {
			return i + bits.TrailingZeros64(stop)>>3
		}
	}
	return i
}
