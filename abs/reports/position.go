package reports

import "strconv"

// position is where in a report the reader is, for errors.
type position struct {
	report  string
	section string // "summary", "details", a list of tokens, or "" outside of these
	rowAt   int    // the current element of section; -1: none
	ipAt    int    // the current element of ip_list; -1: none
	metrics bool   // inside details.metrics of forensics
	topAt   int    // the current report of an answer that is an array of reports; -1: it is none
	at      string // the current member, if it is a known one
}

// path names the current member by what this package knows of reports, not by what the body says,
// which may be a token.
func (p *position) path() string {
	text := make([]byte, 0, 64)
	name := func(n string) {
		if n == "" {
			return
		}
		if len(text) > 0 {
			text = append(text, '.')
		}
		text = append(text, n...)
	}
	index := func(i int) {
		if i >= 0 {
			text = append(text, '[')
			text = strconv.AppendInt(text, int64(i), 10)
			text = append(text, ']')
		}
	}
	index(p.topAt)
	name(p.section)
	index(p.rowAt)
	if p.metrics {
		name("metrics")
	}
	if p.ipAt >= 0 {
		name("ip_list")
		index(p.ipAt)
	}
	name(p.at)
	return string(text)
}
