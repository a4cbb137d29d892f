package readers

import "io"

// Filter escapes control characters inside strings, which ABS publishes and JSON forbids:
// what every library needs before it. It has to know where strings begin and end, so it
// looks at each byte once.
type Filter struct {
	r        io.Reader
	in       []byte
	out      []byte // escaped, not yet handed out
	inString bool
	escaped  bool
	err      error
}

// NewFilter filters r.
func NewFilter(r io.Reader) *Filter { return &Filter{r: r, in: make([]byte, 64<<10)} }

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
	for _, c := range p[from:n] {
		if f.inString && !f.escaped && c < ' ' {
			const digits = "0123456789abcdef"
			out = append(out, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			continue
		}
		f.step(c)
		out = append(out, c)
	}
	copied := copy(p[from:], out)
	f.out = out[copied:]
	return from + copied, nil
}

// clean goes over p up to a control character in a string, and tells how far it came.
func (f *Filter) clean(p []byte) int {
	for i := 0; i < len(p); i++ {
		c := p[i]
		if c >= ' ' && c != '"' && c != '\\' && !f.escaped {
			continue
		}
		if f.inString && !f.escaped && c < ' ' {
			return i
		}
		f.step(c)
	}
	return len(p)
}

func (f *Filter) step(c byte) {
	switch {
	case f.escaped:
		f.escaped = false
	case f.inString && c == '\\':
		f.escaped = true
	case c == '"':
		f.inString = !f.inString
	}
}
