package fold

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// What stands in a template for a segment of a path.
const (
	anID    = "{id}"
	aDate   = "{date}"
	anEmail = "{email}"
)

// Bounds of a segment that stays as it is.
const (
	maxSegment = 64 // bytes
	maxDigits  = 3
)

// leastToken is how long a token is, in bytes, that is looked for within segments: a shorter one
// would be in many words.
const leastToken = 4

// Path appends the template of a URL to dst: its path, with every segment replaced that does not
// look like a word. Numbers, UUIDs, keys and all that looks like a credential are {id}, and so is a
// segment with the given token in it, as nobody knows what tokens look like; dates are {date},
// e-mail addresses {email}. Scheme, host, query, fragment and matrix parameters are left out. The
// template of a template is the template.
func Path(dst, url, token []byte) []byte {
	begin, path := len(dst), pathOf(url)
	if len(token) < leastToken || bytes.IndexByte(token, '/') < 0 {
		return appendTemplate(dst, path, token)
	}
	dst = appendTemplate(dst, withoutToken(path, token), token)
	for length := len(dst) + 1; len(dst) < length; { // segments that were decoded may show one together
		length = len(dst)
		dst = appendTemplate(dst[:begin], withoutToken(bytes.Clone(dst[begin:]), token), token)
	}
	return dst
}

// withoutToken ends a path where a token with slashes begins: what follows in its last segment may
// be a part of it, too.
func withoutToken(path, token []byte) []byte {
	if i := bytes.Index(path, token); i >= 0 {
		return append(bytes.Clone(path[:i]), "/"+anID...)
	}
	return path
}

// appendTemplate appends the template of a path.
func appendTemplate(dst, path, token []byte) []byte {
	absolute, begin := len(path) == 0 || path[0] == '/', len(dst)
	for len(path) > 0 {
		var segment []byte
		segment, path = cut(path, '/')
		if segment, _ = cut(segment, ';'); len(segment) == 0 {
			continue
		}
		if absolute || len(dst) > begin {
			dst = append(dst, '/')
		}
		dst = appendSegment(dst, segment, token)
	}
	if len(dst) == begin {
		dst = append(dst, '/')
	}
	return dst
}

// cut returns what stands before a separator, and what stands behind it.
func cut(text []byte, separator byte) (before, behind []byte) {
	if i := bytes.IndexByte(text, separator); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// pathOf returns the path of a URL, which may have lost its scheme and host already.
func pathOf(url []byte) []byte {
	if i := bytes.IndexAny(url, "?#"); i >= 0 {
		url = url[:i]
	}
	if i := bytes.Index(url, []byte("://")); i > 0 && bytes.IndexByte(url[:i], '/') < 0 {
		url = url[i+len("://"):]
		if i = bytes.IndexByte(url, '/'); i < 0 {
			return nil
		}
		url = url[i:]
	}
	return url
}

func appendSegment(dst, segment, token []byte) []byte {
	switch string(segment) {
	case anID, aDate, anEmail:
		return append(dst, segment...)
	}
	var space [maxSegment]byte
	plain, ok := unescape(space[:0], segment)
	switch {
	case !ok || hasToken(plain, token):
		return append(dst, anID...)
	case isDate(plain):
		return append(dst, aDate...)
	case bytes.IndexByte(plain, '@') > 0:
		return append(dst, anEmail...)
	}
	if i := bytes.IndexByte(plain, '('); i > 0 && plain[len(plain)-1] == ')' && isWord(plain[:i]) { // an entity of OData
		return append(append(dst, plain[:i]...), "("+anID+")"...)
	}
	if !isWord(plain) {
		return append(dst, anID...)
	}
	return append(dst, plain...)
}

// unescape appends a segment without its percent-encoding to dst. ok is false for one that is
// longer than dst has room for, or wrongly encoded.
func unescape(dst, segment []byte) (plain []byte, ok bool) {
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if c == '%' {
			if i+2 >= len(segment) {
				return nil, false
			}
			high, low := unhex(segment[i+1]), unhex(segment[i+2])
			if high < 0 || low < 0 {
				return nil, false
			}
			c = byte(high<<4 | low) //nolint:gosec // two hex digits
			i += 2
		}
		if len(dst) == cap(dst) {
			return nil, false
		}
		dst = append(dst, c)
	}
	return dst, true
}

// unhex returns the value of a hexadecimal digit; below 0: it is none.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// hasToken reports whether a segment shows a token.
func hasToken(segment, token []byte) bool {
	return len(token) > 0 && (bytes.Equal(segment, token) || len(token) >= leastToken && bytes.Contains(segment, token))
}

// isDate reports whether a segment begins as 2026-11-27 does.
func isDate(segment []byte) bool {
	if len(segment) < len("2026-11-27") {
		return false
	}
	for i, c := range segment[:len("2026-11-27")] {
		if i == 4 || i == 7 {
			if c != '-' && c != '_' && c != '.' || c != segment[4] {
				return false
			}
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return len(segment) == len("2026-11-27") || segment[len("2026-11-27")] == 'T'
}

// isWord reports whether a segment is one that an API is made of, such as orders, get200, v2.1,
// order-items or getOrderById, and neither an id nor a credential: it has letters that follow one
// another as they do in words, and a few digits at most.
func isWord(segment []byte) bool {
	switch string(segment) {
	case ".", "..", "-", "_", "~", "*", "$":
		return true
	}
	if segment[0] == '$' || segment[0] == '@' { // $metadata, @me
		segment = segment[1:]
	}
	var w word
	for len(segment) > 0 {
		r, size := rune(segment[0]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(segment)
		}
		if r == utf8.RuneError || !w.add(r) {
			return false
		}
		segment = segment[size:]
	}
	return w.endPiece() && w.letters > 0 && w.isPlausible()
}

// word is what is known of a segment so far.
type word struct {
	letters, digits int
	usual           usual
	piece           piece
}

// piece is what stands between two separators.
type piece struct {
	last    rune // 0: none
	length  int
	changes int  // between letters and digits
	hex     bool // it may be a hexadecimal number
	version bool // it begins as v1 does
	small   bool // it has letters from a to z
	capital bool // ... and from A to Z
	usual   usual
}

// usual is how many pairs of letters from a to z there are, and how usual they are together.
type usual struct{ pairs, score int }

// add adds a character; false: it is in no word.
func (w *word) add(r rune) bool {
	p := &w.piece
	digit := '0' <= r && r <= '9'
	switch {
	case r == '-' || r == '_' || r == '.' || r == '~':
		return w.endPiece()
	case digit:
		w.digits++
	case ascii(r) || unicode.IsLetter(r) || unicode.IsMark(r):
		w.letters++
		p.usual.add(p.last, r)
	default:
		return false
	}
	wasDigit := '0' <= p.last && p.last <= '9'
	if p.last != 0 && digit != wasDigit {
		p.changes++
	}
	p.hex = (p.length == 0 || p.hex) && r < utf8.RuneSelf && unhex(byte(r)) >= 0 //nolint:gosec // it is ASCII
	switch p.length {
	case 0:
		p.version = r == 'v' || r == 'V'
	case 1:
		p.version = p.version && digit
	}
	p.small, p.capital = p.small || lower(r), p.capital || ascii(r) && !lower(r)
	p.last = r
	p.length++
	return true
}

// add adds a letter and the one before it. Where a word begins, as in getOrder, nothing is usual.
func (u *usual) add(before, r rune) {
	if !ascii(before) || !ascii(r) {
		return
	}
	u.pairs++
	if lower(before) && !lower(r) {
		u.score--
		return
	}
	u.score += int(pairs[before|0x20-'a'][r|0x20-'a']) - '5'
}

func lower(r rune) bool { return 'a' <= r && r <= 'z' }

func ascii(r rune) bool { return lower(r | 0x20) }

// endPiece ends a piece. It reports whether that may be part of a word: it is neither a hexadecimal
// number nor letters and digits mixed, as in i18n at most, or in v1beta1. How usual its letters are
// says nothing of an abbreviation, such as html.
func (w *word) endPiece() bool {
	const abbreviation = 4
	p := w.piece
	w.piece = piece{}
	if p.length > abbreviation || p.small && p.capital {
		w.usual.pairs += p.usual.pairs
		w.usual.score += p.usual.score
	}
	most := 2
	if p.version {
		most = 3
	}
	switch p.changes {
	case 0:
		return !p.hex || p.length < 12
	case 1:
		return p.length <= 20 && (!p.hex || p.length < 12)
	}
	return p.changes <= most && p.length <= 12
}

// isPlausible reports whether it has few digits, and its letters follow one another as in words:
// the more there are, the surer it is. Few say nothing.
func (w *word) isPlausible() bool {
	u := w.usual
	switch {
	case w.digits == 0:
		return u.pairs <= 6 || u.score >= u.pairs*5/4-10
	case w.digits <= maxDigits:
		return u.pairs <= 2 || u.score >= u.pairs
	}
	return false
}
