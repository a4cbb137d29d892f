// Package jsonscan reads JSON from a stream, token by token.
package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	bufferSize = 64 << 10
	// MaxString bounds, in bytes, one string that is kept: the only buffer that the data can grow.
	MaxString = 1 << 20
	// MaxDepth bounds how deep values are nested; ABS's reports need 6.
	MaxDepth = 64
	// MaxCount is the largest count that a float64, and so Prometheus, holds exactly.
	MaxCount = 1 << 53
)

// Scanner reads JSON from a stream, token by token, as far as the reports need it. It checks the
// structure, accepts raw line breaks in strings (ABS publishes such a report), and keeps nothing
// but the current buffer. Like bufio.Scanner it remembers its first error and does nothing from
// then on, so that callers need not check after each step.
type Scanner struct {
	r     io.Reader
	limit int64 // of the body in bytes; 0: none

	// buf[pos:end] is read and not yet consumed. After end there is a zero and space for a word, so
	// that loops need not compare with end before each byte.
	buf       []byte
	pos, end  int
	base      int64 // offset in the body of buf[0]
	streamErr error // the error that ended the stream
	err       error // the error that stopped the scanner
	tolerant  bool  // the string that is read may be longer than MaxString
	cut       bool  // it was
	begun     bool  // the stream has something that is not white space

	scratch []byte // a string that had to be put together
	key     []byte // a member's name that must outlive the buffer

	refused func(Failure) error
}

// Failure is why the scanner refuses a body.
type Failure struct {
	Kind   Kind
	Offset int64 // in the body, in bytes
	Detail string
}

// Kind classifies a Failure.
type Kind int

// The kinds of failures.
const (
	Malformed Kind = iota // not JSON, or not what was expected
	Early                 // the body ends where more must follow
	TooLong               // the body is longer than the limit
)

// New returns a scanner whose error, where it refuses a body, is what refused returns. An error of
// the stream is returned unchanged.
func New(refused func(Failure) error) *Scanner {
	return &Scanner{buf: make([]byte, bufferSize+8), refused: refused}
}

// Reset prepares the scanner for another body, of limit bytes at most; 0: no limit.
func (s *Scanner) Reset(r io.Reader, limit int64) {
	*s = Scanner{r: r, limit: limit, refused: s.refused, buf: s.buf, scratch: s.scratch[:0], key: s.key[:0]}
	s.buf[0] = 0
}

// Release drops the body, and the buffers that it made larger than limit.
func (s *Scanner) Release(limit int) {
	s.Reset(nil, 0)
	if cap(s.scratch) > limit {
		s.scratch = nil
	}
	if cap(s.key) > limit {
		s.key = nil
	}
}

// Kept returns how many bytes the buffers have.
func (s *Scanner) Kept() int { return cap(s.buf) + cap(s.scratch) + cap(s.key) }

// Err returns what stopped the scanner: nil, the error for a Failure, the error of the stream, or
// that of Stop.
func (s *Scanner) Err() error { return s.err }

// Stop stops the scanner with an error of the caller, unless it has stopped already or err is nil.
func (s *Scanner) Stop(err error) {
	if s.err == nil {
		s.err = err
	}
}

// Begun reports whether anything but white space was read.
func (s *Scanner) Begun() bool { return s.begun }

// Begin consumes the byte order mark that a body of UTF-8 may begin with, and refuses those of
// other encodings. It comes first.
func (s *Scanner) Begin() {
	switch s.nextByte() {
	case 0xef:
		for _, c := range []byte("\ufeff") {
			if s.nextByte() != c {
				if s.pos == s.end {
					s.Ended()
				}
				s.Fail(0, "the answer is not JSON")
				return
			}
			s.pos++
		}
		s.begun = len(bytes.Trim(s.buf[s.pos:s.end], " \n\r\t")) > 0
	case 0xfe, 0xff:
		s.Fail(0, "the answer is in UTF-16, not in UTF-8")
	}
}

// AtEnd reports whether all that was read is consumed: after Peek, whether the body has ended.
func (s *Scanner) AtEnd() bool { return s.pos == s.end }

// Read returns how many bytes of the body were read.
func (s *Scanner) Read() int64 { return s.base + int64(s.end) }

// Offset returns how many of them were consumed.
func (s *Scanner) Offset() int64 { return s.base + int64(s.pos) }

// StartOf returns the offset of the next value.
func (s *Scanner) StartOf() int64 {
	s.Peek()
	return s.Offset()
}

// fill reads more when the whole buffer is consumed. It returns false at the end of the stream,
// whatever the reason, and once the scanner has failed.
func (s *Scanner) fill() bool {
	if s.err != nil || s.streamErr != nil {
		return false
	}
	s.base += int64(s.end)
	s.pos, s.end = 0, 0
	room := s.buf[:bufferSize]
	if left := s.limit - s.base + 1; s.limit > 0 && left < int64(len(room)) {
		// One byte more than allowed, to distinguish a body at the limit from a longer one.
		room = room[:left]
	}
	for range 100 {
		s.end, s.streamErr = s.r.Read(room)
		if s.end > 0 || s.streamErr != nil {
			break
		}
	}
	clear(s.buf[s.end : s.end+8])
	if !s.begun {
		s.begun = len(bytes.Trim(s.buf[:s.end], " \n\r\t")) > 0
	}
	if s.end == 0 && s.streamErr == nil {
		s.streamErr = io.ErrNoProgress
	}
	if s.limit > 0 && s.Read() > s.limit {
		s.err = s.refused(Failure{
			TooLong, s.limit,
			"the body is longer than " + strconv.FormatInt(s.limit, 10) + " bytes, twice the response cap",
		})
		s.pos, s.end = 0, 0
		s.buf[0] = 0
		return false
	}
	return s.end > 0
}

// Fail refuses the body at an offset. Only the first failure counts.
func (s *Scanner) Fail(offset int64, detail string) {
	if s.err == nil {
		s.err = s.refused(Failure{Malformed, offset, detail})
	}
}

// Ended fails because the body ends where more must follow.
func (s *Scanner) Ended() {
	switch {
	case s.err != nil:
	case errors.Is(s.streamErr, io.EOF), errors.Is(s.streamErr, io.ErrUnexpectedEOF):
		switch {
		case s.begun:
			s.err = s.refused(Failure{Early, s.Read(), "the body ends early"})
		case s.Read() == 0:
			s.err = s.refused(Failure{Malformed, 0, "the body is empty"})
		default:
			s.err = s.refused(Failure{Malformed, s.Read(), "the body has nothing but white space"})
		}
	default:
		s.err = s.streamErr
	}
}

// Expected fails because something other than want follows.
func (s *Scanner) Expected(want string) {
	if s.pos == s.end && !s.fill() {
		s.Ended()
		return
	}
	s.Fail(s.Offset(), want+" expected")
}

// Peek skips white space and returns the next byte without consuming it: 0 at the end of the
// stream. (For a zero in the data pos < end; no caller accepts one.)
func (s *Scanner) Peek() byte {
	if c := s.buf[s.pos]; c > ' ' {
		return c
	}
	return s.peekSlow()
}

// peekSlow is peek where there is white space, or the end of the buffer.
func (s *Scanner) peekSlow() byte {
	for {
		i := s.pos
		c := s.buf[i]
		for c == ' ' || c == '\n' || c == '\r' || c == '\t' {
			i++
			c = s.buf[i]
		}
		s.pos = i
		if c != 0 || i < s.end || !s.fill() {
			return c
		}
	}
}

// Is consumes the next byte if it is c; c is never 0.
func (s *Scanner) Is(c byte) bool {
	if s.Peek() != c {
		return false
	}
	s.pos++
	return true
}

// nextByte returns the next byte, white space or not, without consuming it; 0 at the end.
func (s *Scanner) nextByte() byte {
	if s.pos == s.end && !s.fill() {
		return 0
	}
	return s.buf[s.pos]
}

// Open enters an object and returns the name of its first member, which is valid until the next
// call; name and colon are consumed. It returns false for an object without members and after a
// failure.
func (s *Scanner) Open() ([]byte, bool) {
	if s.err != nil {
		return nil, false
	}
	if !s.Is('{') {
		s.Expected("an object")
		return nil, false
	}
	if s.Is('}') {
		return nil, false
	}
	return s.name()
}

// Next returns the name of the next member of an object as open does. After the last one it
// consumes the brace and returns false, as it does after a failure.
func (s *Scanner) Next() ([]byte, bool) {
	if s.err != nil {
		return nil, false
	}
	switch s.Peek() {
	case ',':
		s.pos++
		return s.name()
	case '}':
		s.pos++
		return nil, false
	}
	s.Expected("a comma or the object's end")
	return nil, false
}

func (s *Scanner) name() ([]byte, bool) {
	if s.Peek() != '"' {
		s.Expected("a member's name")
		return nil, false
	}
	key := s.Str()
	if s.err != nil {
		return nil, false
	}
	if s.buf[s.pos] == ':' && s.pos < s.end {
		s.pos++
		return key, true
	}
	// Skipping to the colon may refill the buffer and overwrite the name.
	s.key = append(s.key[:0], key...)
	if !s.Is(':') {
		s.Expected("a colon")
		return nil, false
	}
	return s.key, true
}

// OpenArray enters an array; it returns false if it is empty and after a failure.
func (s *Scanner) OpenArray() bool {
	if s.err != nil {
		return false
	}
	if !s.Is('[') {
		s.Expected("an array")
		return false
	}
	return !s.Is(']')
}

// NextElement advances to the next element of an array, as next does in an object.
func (s *Scanner) NextElement() bool {
	if s.err != nil {
		return false
	}
	switch s.Peek() {
	case ',':
		s.pos++
		return true
	case ']':
		s.pos++
		return false
	}
	s.Expected("a comma or the array's end")
	return false
}

// Elements yields once for each element of an array, up to the end or a failure. The loop's body
// must consume the element.
func (s *Scanner) Elements() iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		for more := s.OpenArray(); more; more = s.NextElement() {
			if !yield(struct{}{}) {
				return
			}
		}
	}
}

// Null consumes the next value if it is null, and reports whether it was.
func (s *Scanner) Null() bool {
	if s.Peek() != 'n' {
		return false
	}
	s.Literal("null")
	return true
}

// Literal consumes true, false or null, given as word, whose first byte is next.
func (s *Scanner) Literal(word string) {
	start := s.Offset()
	for i := range len(word) {
		if s.nextByte() != word[i] {
			if s.pos == s.end {
				s.Ended()
			} else {
				s.Fail(start, "a value expected")
			}
			return
		}
		s.pos++
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// Str consumes a string, whose opening quote is next, and returns its text, which is valid until
// the next call.
func (s *Scanner) Str() []byte {
	b, start := s.buf, s.pos+1
	i := start
	for i+8 <= len(b) {
		// Eight bytes at once: the high bit of the first byte that is not plain is set, and perhaps
		// some after it. The zero after the data is not plain.
		x := binary.LittleEndian.Uint64(b[i:])
		quote, escape := x^('"'*ones), x^('\\'*ones)
		stop := (x | (x-0x20*ones)&^x | (quote-ones)&^quote | (escape-ones)&^escape) & highs
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		break
	}
	if i < s.end && b[i] == '"' {
		s.pos = i + 1
		return b[start:i]
	}
	return s.strSlow(start, min(i, s.end))
}

// Text is Str for a string that may be of any length: one longer than MaxString is consumed, and
// cut is true.
func (s *Scanner) Text() (text []byte, cut bool) {
	s.tolerant, s.cut = true, false
	text = s.Str()
	s.tolerant = false
	return text, s.cut
}

// strSlow puts together the text of a string that has escapes, control characters or bytes beyond
// ASCII, or that extends beyond the buffer. buf[start:i] is plain.
func (s *Scanner) strSlow(start, i int) []byte {
	at := s.base + int64(start) - 1
	s.scratch = append(s.scratch[:0], s.buf[start:i]...)
	s.pos = i
	for {
		if len(s.scratch) > MaxString {
			if s.cut = s.tolerant; s.cut {
				s.skipRest()
				return s.scratch[:MaxString]
			}
			s.Fail(at, "a string is longer than 1 MiB")
			return nil
		}
		if s.pos == s.end && !s.fill() {
			s.Ended()
			return nil
		}
		switch c := s.buf[s.pos]; {
		case c == '"':
			s.pos++
			return s.scratch
		case c == '\\':
			s.pos++
			s.scratch = s.escape(s.scratch)
			if s.err != nil {
				return nil
			}
		case c < utf8.RuneSelf:
			i = s.pos + 1
			for i < s.end && s.buf[i] != '"' && s.buf[i] != '\\' && s.buf[i] < utf8.RuneSelf {
				i++
			}
			s.scratch = append(s.scratch, s.buf[s.pos:i]...)
			s.pos = i
		default:
			s.scratch = s.runes(s.scratch)
		}
	}
}

// runes appends bytes beyond ASCII, with U+FFFD for each that is not UTF-8. They are collected
// first, because the end of the buffer may split a character.
func (s *Scanner) runes(dst []byte) []byte {
	var raw [64]byte
	n := 0
	for n < len(raw) {
		c := s.nextByte()
		if c < utf8.RuneSelf || n >= len(raw)-utf8.UTFMax && utf8.RuneStart(c) {
			break
		}
		raw[n] = c
		n++
		s.pos++
	}
	for left := raw[:n]; len(left) > 0; {
		r, size := utf8.DecodeRune(left)
		dst = utf8.AppendRune(dst, r)
		left = left[size:]
	}
	return dst
}

// escape consumes what follows a backslash.
func (s *Scanner) escape(dst []byte) []byte {
	c := s.nextByte()
	if s.pos == s.end {
		s.Ended()
		return dst
	}
	s.pos++
	switch c {
	case '"', '\\', '/':
		return append(dst, c)
	case 'b':
		return append(dst, '\b')
	case 'f':
		return append(dst, '\f')
	case 'n':
		return append(dst, '\n')
	case 'r':
		return append(dst, '\r')
	case 't':
		return append(dst, '\t')
	case 'u':
	default:
		s.Fail(s.Offset()-2, "a backslash stands before a character that it cannot escape")
		return dst
	}
	r := s.hex4()
	for utf16.IsSurrogate(r) && s.err == nil {
		// A low half must follow a high one; one alone is U+FFFD, as everywhere in Go.
		if s.nextByte() != '\\' {
			break
		}
		s.pos++
		if s.nextByte() != 'u' {
			return s.escape(utf8.AppendRune(dst, utf8.RuneError))
		}
		s.pos++
		low := s.hex4()
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			return utf8.AppendRune(dst, both)
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
		r = low
	}
	return utf8.AppendRune(dst, r) // a surrogate becomes U+FFFD
}

func (s *Scanner) hex4() rune {
	var r rune
	for range 4 {
		c := s.nextByte()
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		case s.pos == s.end:
			s.Ended()
			return 0
		default:
			s.Fail(s.Offset(), `\u needs four hexadecimal digits`)
			return 0
		}
		r = r<<4 | rune(c)
		s.pos++
	}
	return r
}

// SkipString consumes a string of any length, whose opening quote is next, without keeping it.
func (s *Scanner) SkipString() {
	s.pos++
	s.skipRest()
}

// skipRest consumes what is left of a string.
func (s *Scanner) skipRest() {
	for s.err == nil {
		b, i := s.buf, s.pos
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			quote, escape := x^('"'*ones), x^('\\'*ones)
			// Zero stops too: it may be the one after the data.
			stop := ((x-ones)&^x | (quote-ones)&^quote | (escape-ones)&^escape) & highs
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) >> 3
			break
		}
		s.pos = min(i, s.end)
		if s.pos == s.end {
			if !s.fill() {
				s.Ended()
			}
			continue
		}
		switch b[s.pos] {
		case '"':
			s.pos++
			return
		case '\\':
			s.pos++
			s.key = s.escape(s.key[:0])
		default:
			s.pos++
		}
	}
}

// Count consumes a value that should be a whole number between 0 and MaxCount, in any notation that
// JSON has for it: 3, 3.0, 1.2345678E7, 120e-1. For any other value, which is consumed too, problem
// says what it is, and n is 0: whether that is a failure is up to the caller. depth is that of
// Skip.
func (s *Scanner) Count(depth int) (n int64, problem string) {
	if s.err != nil {
		return 0, ""
	}
	c := s.Peek()
	if c < '0' || c > '9' {
		switch {
		case c == '-':
			return 0, s.negative()
		case s.pos == s.end:
			s.Ended()
		default:
			s.Skip(depth)
			problem = "the count is not a number"
		}
		return 0, problem
	}
	n = int64(c - '0')
	s.pos++
	for {
		d := s.buf[s.pos]
		if d < '0' || d > '9' {
			if s.pos < s.end || !s.fill() {
				break
			}
			continue
		}
		if n == 0 {
			s.Fail(s.Offset(), "a number has a leading zero")
			return 0, ""
		}
		if n > MaxCount/10 {
			return s.number(s.integer(n))
		}
		n = n*10 + int64(d-'0')
		s.pos++
	}
	if d := s.buf[s.pos]; s.pos < s.end && (d == '.' || d == 'e' || d == 'E') || n > MaxCount {
		return s.number(decimal{n: n})
	}
	return n, ""
}

// negative consumes a number with a minus sign, and returns a problem unless it is 0.
func (s *Scanner) negative() (problem string) {
	s.pos++
	var n int64
	if s.nextByte() == '0' {
		s.pos++
		n, problem = s.number(decimal{})
	} else {
		n, problem = s.number(s.integer(0))
	}
	if n != 0 || problem != "" {
		problem = "the count is negative"
	}
	return problem
}

// integer consumes the digits of a whole number that begins with n.
func (s *Scanner) integer(n int64) decimal {
	d := decimal{n: n}
	s.eachDigit(d.add)
	return d
}

// number consumes what may follow the digits of a whole number.
func (s *Scanner) number(d decimal) (int64, string) {
	if s.nextByte() == '.' {
		s.pos++
		s.eachDigit(func(c byte) {
			d.add(c)
			d.scale++
		})
	}
	if c := s.nextByte(); c == 'e' || c == 'E' {
		s.pos++
		sign := s.nextByte()
		if sign == '+' || sign == '-' {
			s.pos++
		}
		exponent := int64(0)
		s.eachDigit(func(c byte) { exponent = min(exponent*10+int64(c-'0'), 1<<50) })
		if sign == '-' {
			exponent = -exponent
		}
		d.scale -= exponent
	}
	if s.err != nil {
		return 0, ""
	}
	return d.whole()
}

// decimal is the number n * 10^(zeros-scale) that is being read.
type decimal struct {
	n     int64
	zeros int64 // digits that follow n
	scale int64
	over  bool // n would be past MaxCount, and its last digit is not 0
}

func (d *decimal) add(c byte) {
	if c == '0' {
		d.zeros++
		return
	}
	for ; d.zeros >= 0 && !d.over; d.zeros-- {
		d.over = d.n > MaxCount/10
		d.n *= 10
	}
	d.zeros = 0
	d.n += int64(c - '0')
}

// whole returns the number if it is whole and at most MaxCount, and otherwise why it is no count.
func (d *decimal) whole() (n int64, problem string) {
	if d.n == 0 && !d.over {
		return 0, ""
	}
	for !d.over && d.n%10 == 0 {
		d.n /= 10
		d.zeros++
	}
	exponent := d.zeros - d.scale
	for ; exponent > 0 && !d.over; exponent-- {
		d.over = d.n > MaxCount/10
		d.n *= 10
	}
	switch {
	case exponent < 0:
		return 0, "the count has a fraction"
	case d.over || d.n > MaxCount:
		return 0, "the count is past 2^53"
	}
	return d.n, ""
}

// TooDeep fails for an array or object with depth of them around it if that is too many, and
// reports whether the scanner has failed.
func (s *Scanner) TooDeep(depth int) bool {
	if depth >= MaxDepth {
		s.Fail(s.Offset(), "values are nested deeper than 64")
	}
	return s.err != nil
}

// Skip consumes a value of any kind and checks its structure. depth is the number of arrays and
// objects around it.
func (s *Scanner) Skip(depth int) {
	if s.err != nil {
		return
	}
	switch c := s.Peek(); c {
	case '"':
		s.SkipString()
	case '{':
		if s.TooDeep(depth) {
			return
		}
		s.pos++
		if s.Is('}') {
			return
		}
		for s.err == nil {
			if s.Peek() != '"' {
				s.Expected("a member's name")
				return
			}
			s.SkipString()
			if s.err == nil && !s.Is(':') {
				s.Expected("a colon")
			}
			s.Skip(depth + 1)
			if s.err != nil {
				return
			}
			if s.Is(',') {
				continue
			}
			if !s.Is('}') {
				s.Expected("a comma or the object's end")
			}
			return
		}
	case '[':
		if s.TooDeep(depth) {
			return
		}
		for more := s.OpenArray(); more; more = s.NextElement() {
			s.Skip(depth + 1)
		}
	case 't':
		s.Literal("true")
	case 'f':
		s.Literal("false")
	case 'n':
		s.Literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			s.skipNumber()
			return
		}
		s.Expected("a value")
	}
}

func (s *Scanner) skipNumber() {
	if s.nextByte() == '-' {
		s.pos++
	}
	if s.nextByte() == '0' {
		s.pos++
	} else {
		s.digits()
	}
	if s.nextByte() == '.' {
		s.pos++
		s.digits()
	}
	if c := s.nextByte(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.nextByte(); c == '+' || c == '-' {
			s.pos++
		}
		s.digits()
	}
}

// digits consumes one digit or more.
func (s *Scanner) digits() { s.eachDigit(func(byte) {}) }

func (s *Scanner) eachDigit(do func(digit byte)) {
	if c := s.nextByte(); s.err == nil && (c < '0' || c > '9') {
		s.Expected("a digit")
		return
	}
	for c := s.nextByte(); '0' <= c && c <= '9'; c = s.nextByte() {
		do(c)
		s.pos++
	}
}

// Finish consumes white space up to the end of the stream, and refuses anything else.
func (s *Scanner) Finish() {
	if s.err != nil {
		return
	}
	if s.Peek(); s.pos < s.end {
		s.Fail(s.Offset(), "something follows the report")
		return
	}
	if s.err == nil && s.streamErr != io.EOF { //nolint:errorlint // a wrapped io.EOF is a failure
		s.Ended()
	}
}

// Scalar consumes a string, a number, true or false, and returns its text, which is valid until the
// next call. It skips a value of any other kind, and returns false for it and after a failure.
// depth is as in Skip.
func (s *Scanner) Scalar(depth int) (text []byte, ok bool) {
	switch c := s.Peek(); {
	case s.err != nil:
		return nil, false
	case c == '"':
		text = s.Str()
	case c == 't':
		s.Literal("true")
		text = []byte("true")
	case c == 'f':
		s.Literal("false")
		text = []byte("false")
	case c == '-', '0' <= c && c <= '9':
		text = s.numberText()
	default:
		s.Skip(depth)
		return nil, false
	}
	return text, s.err == nil
}

// numberText consumes a number, of 64 bytes at most, and returns its text.
func (s *Scanner) numberText() []byte {
	at := s.Offset()
	s.scratch = s.scratch[:0]
	for c := s.nextByte(); '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'; c = s.nextByte() {
		s.scratch = append(s.scratch, c)
		s.pos++
		if len(s.scratch) > 64 {
			break
		}
	}
	if len(s.scratch) > 64 || !json.Valid(s.scratch) {
		s.Fail(at, "a number expected")
	}
	return s.scratch
}
