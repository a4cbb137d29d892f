package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"time"
)

// question is what a report was asked for, and when.
type question struct {
	earlier, later wallTime
	at             time.Time
	view           *view
	restricted     bool
	row            int64 // CapRows: no row is written past so many bytes; 0: all
}

func (s *Simulator) question(earlier, later string, at time.Time) (question, error) {
	e, err := parseWall(earlier)
	if err != nil {
		return question{}, err
	}
	l, err := parseWall(later)
	if err != nil {
		return question{}, err
	}
	spans, err := s.cfg.spans(e, l)
	if err != nil {
		return question{}, err
	}
	return question{earlier: e, later: l, at: at, view: s.view(spans, at.UnixNano())}, nil
}

// page writes a report in pieces of a row, so that none is ever held whole.
type page struct {
	w       io.Writer
	buf     []byte
	written int64 // flushed
	plain   bool  // no raw line break in the description
}

const flushAt = 32 << 10

func (p *page) text(s string) { p.buf = append(p.buf, s...) }
func (p *page) quote(s string) {
	p.buf = appendString(p.buf, s)
}
func (p *page) number(n int64) { p.buf = strconv.AppendInt(p.buf, n, 10) }

// size is how long the report is so far.
func (p *page) size() int64 { return p.written + int64(len(p.buf)) }

func (p *page) flush(least int) error {
	if len(p.buf) < least || len(p.buf) == 0 {
		return nil
	}
	n, err := p.w.Write(p.buf)
	p.written += int64(n)
	p.buf = p.buf[:0]
	return err
}

// head begins a report.
func (p *page) head(name, description1, description2 string, earlier, later wallTime) {
	p.text("{\n \"company\": \"ping identity\",\n")
	p.members(name, description1, description2, earlier, later)
}

// members are what all reports tell of themselves. As in the published ones a raw line
// break and two spaces stand inside the description, which makes them no valid JSON.
func (p *page) members(name, description1, description2 string, earlier, later wallTime) {
	p.text(" \"name\": ")
	p.quote(name)
	p.text(",\n \"description\": \"" + description1)
	if p.plain {
		p.text(" ")
	} else {
		p.text("\n  ")
	}
	p.text(description2 + "\",\n \"earlier_date\": ")
	p.quote(earlier.String())
	p.text(",\n \"later_date\": ")
	p.quote(later.String())
	p.text(",\n")
}

func (s *Simulator) page(w io.Writer) *page {
	return &page{w: w, buf: make([]byte, 0, flushAt+8<<10), plain: s.cfg.PlainDescription}
}

func (p *page) tokensHead(earlier, later wallTime, tokens, requests int64) {
	p.head("oauth_token_metrics", "This report contains a summary and detailed oauth token",
		"metrics across all APIs", earlier, later)
	p.text(" \"summary\": {\n \"tokens\": ")
	p.number(tokens)
	p.text(",\n \"total_requests\": ")
	p.number(requests)
	p.text("\n },\n \"details\": [")
}

const tokensFoot = "\n ]\n}\n"

// writeTokens writes the report oauthtokens.
func (s *Simulator) writeTokens(ctx context.Context, w io.Writer, q question) error {
	t := &s.traffic
	salt := mix(mix(s.cfg.Seed, uint64(q.at.UnixNano())), mix(uint64(q.earlier.Unix()), uint64(q.later.Unix())))
	var tokens, requests int64
	if err := t.each(ctx, q.view, salt, true, func(t token) error {
		tokens++
		requests += t.total
		return nil
	}); err != nil {
		return err
	}
	p := s.page(w)
	p.tokensHead(q.earlier, q.later, tokens, requests)
	rows, full := 0, false
	var name []byte
	err := t.each(ctx, q.view, salt, false, func(tok token) error {
		begin := len(p.buf)
		name = name[:0]
		if tok.sum != nil {
			name = t.appendToken(name, tok.id)
		} else {
			name = append(name, tok.bundle.token...)
		}
		if q.restricted {
			name = obfuscate(name)
		}
		split := s.cfg.SplitRows > 0 && (rows+1)%s.cfg.SplitRows == 0
		if tok.bundle == nil {
			p.fastRows(t, name, tok, split, rows == 0)
		} else {
			p.rows(string(name), t.join(tok), split, rows == 0)
		}
		if q.row > 0 && p.size()+int64(len(tokensFoot)) > q.row {
			// Once a row didn't fit, none after it is told, however small.
			p.buf = p.buf[:begin]
			full = true
			return errFull
		}
		rows++
		return p.flush(flushAt)
	})
	if err != nil && !full {
		return err
	}
	if rows == 0 {
		p.text("]\n}\n")
	} else {
		p.text(tokensFoot)
	}
	return p.flush(0)
}

// obfuscate is what a restricted user gets instead of a token. The vendor's pages don't
// say what it is; an event of ABS's shows 64 hex digits (facts 1).
func obfuscate(token []byte) []byte {
	sum := sha256.Sum256(token)
	return hex.AppendEncode(token[:0], sum[:])
}

// fastRows writes the row of a generated token, or two.
func (p *page) fastRows(t *traffic, name []byte, tok token, split, first bool) {
	ips := tok.profile.ips
	used := uint64(0)
	for j := range ips {
		if tok.sum.ip[j].total > 0 {
			used++
		}
	}
	if !split || used < 2 {
		p.fastRow(t, name, tok, 0, ips, tok.total, first)
		return
	}
	cut, part := uint64(0), int64(0)
	for part == 0 {
		part += tok.sum.ip[cut].total
		cut++
	}
	p.fastRow(t, name, tok, 0, cut, part, first)
	p.fastRow(t, name, tok, cut, ips, tok.total-part, false)
}

func (p *page) fastRow(t *traffic, name []byte, tok token, from, to uint64, total int64, first bool) {
	b := p.buf
	if !first {
		b = append(b, ',')
	}
	b = append(b, "\n {\n \"token\": \""...)
	b = append(b, name...)
	b = append(b, "\",\n \"total_requests\": "...)
	b = strconv.AppendInt(b, total, 10)
	b = append(b, ",\n \"ip_list\": ["...)
	b = t.appendIPs(b, tok.profile, tok.sum, from, to)
	b = append(b, "\n ]\n }"...)
	p.buf = b
}

// appendIPs appends the elements of an ip_list.
func (t *traffic) appendIPs(b []byte, p *profile, sum *tally, from, to uint64) []byte {
	first := true
	for j := from; j < to; j++ {
		i := &sum.ip[j]
		if i.total == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, "\n {\n \"ip\": \""...)
		b = p.appendIP(b, j)
		b = append(b, "\",\n \"total_requests\": "...)
		b = strconv.AppendInt(b, i.total, 10)
		b = append(b, ",\n \"devices\": {"...)
		begin := len(b)
		for d, n := range i.device {
			b = appendCount(b, begin, t.quotedDevices, int(p.device[d]), n)
		}
		b = append(b, "\n },\n \"methods\": {"...)
		begin = len(b)
		for m, n := range &i.method {
			b = appendCount(b, begin, t.quotedMethods, m, n)
		}
		b = append(b, "\n },\n \"urls\": {"...)
		begin = len(b)
		for u := range p.url {
			if n := i.url[u]; n > 0 {
				b = appendCount(b, begin, t.quotedURLs, p.urlIndex(u), n)
			}
		}
		b = append(b, "\n },\n \"apis\": {"...)
		begin = len(b)
		for a := range p.apis {
			b = appendCount(b, begin, t.quotedAPIs, p.api[a], i.api[a])
		}
		b = append(b, "\n }\n }"...)
	}
	return b
}

// appendCount appends a map's entry, unless it is nothing. The map began at begin.
func appendCount(b []byte, begin int, names [][]byte, i int, n int64) []byte {
	if n == 0 {
		return b
	}
	if len(b) > begin {
		b = append(b, ',')
	}
	b = append(b, "\n "...)
	b = append(b, names[i]...)
	return strconv.AppendInt(b, n, 10)
}

// rows writes the row of a bundle, or two.
func (p *page) rows(name string, b *bundle, split, first bool) {
	if split && len(b.ips) > 1 {
		p.row(name, b.ips[:1], first)
		p.row(name, b.ips[1:], false)
		return
	}
	p.row(name, b.ips, first)
}

func (p *page) row(name string, ips []ipBundle, first bool) {
	if !first {
		p.text(",")
	}
	p.text("\n {")
	p.metrics(name, ips)
	p.text("\n }")
}

func (p *page) metrics(name string, ips []ipBundle) {
	var total int64
	for _, i := range ips {
		total += i.total
	}
	p.text("\n \"token\": ")
	p.quote(name)
	p.text(",\n \"total_requests\": ")
	p.number(total)
	p.text(",\n \"ip_list\": [")
	for n, i := range ips {
		if n > 0 {
			p.text(",")
		}
		p.text("\n {\n \"ip\": ")
		p.quote(i.ip)
		p.text(",\n \"total_requests\": ")
		p.number(i.total)
		p.counts("devices", i.devices)
		p.counts("methods", i.methods)
		p.counts("urls", i.urls)
		p.counts("apis", i.api)
		p.text("\n }")
	}
	if len(ips) == 0 {
		p.text("]")
		return
	}
	p.text("\n ]")
}

func (p *page) counts(name string, pairs []pair) {
	p.text(",\n \"" + name + "\": {")
	for n, e := range pairs {
		if n > 0 {
			p.text(",")
		}
		p.text("\n ")
		p.quote(e.key)
		p.text(": ")
		p.number(e.n)
	}
	p.text("\n }")
}

// writeForensics writes the report about one token. About a token that ABS doesn't
// know, it tells of nothing: what a real one does is not published.
func (s *Simulator) writeForensics(w io.Writer, q question, name string) error {
	b := &bundle{token: name}
	if id, ok := s.traffic.find(name); ok && len(q.view.seconds) > 0 {
		var sum tally
		p := s.traffic.profile(s.traffic.tokenSeed(id))
		s.traffic.visit(id, q.view, &p, &sum)
		b = s.traffic.join(token{id: id, profile: &p, sum: &sum, bundle: q.view.mixed[id]})
	}
	for _, o := range q.view.others {
		if o.token == name {
			b = s.traffic.join(token{bundle: o})
		}
	}
	attacks := s.attacksIn(q.view.spans, func(a Attack) bool {
		return a.Token == name && !a.VisibleFrom.After(q.at)
	})
	found, strange := findings(attacks, false), findings(attacks, true)

	p := s.page(w)
	p.head("api_abs_token", "This report contains a summary and detailed information on",
		"metrics, attacks and anomalies for the specified token across all APIs.", q.earlier, q.later)
	p.text(" \"summary\": {\n \"total_requests\": ")
	p.number(b.total)
	p.text(",\n \"total_attacks\": ")
	p.number(int64(len(found)))
	p.text(",\n \"total_anomalies\": ")
	p.number(int64(len(strange)))
	p.text("\n },\n \"details\": {\n \"metrics\": {")
	p.metrics(name, b.ips)
	p.text("\n }")
	p.findings("attack_types", found)
	p.findings("anomaly_types", strange)
	p.text("\n }\n}\n")
	return p.flush(0)
}

func (p *page) findings(name string, all []finding) {
	p.text(",\n \"" + name + "\": {")
	for n, f := range all {
		if n > 0 {
			p.text(",")
		}
		p.text("\n ")
		p.quote(f.name)
		p.text(": [")
		for m, api := range f.apis {
			if m > 0 {
				p.text(",")
			}
			p.text("\n ")
			p.quote(api)
		}
		p.text("\n ]")
	}
	if len(all) > 0 {
		p.text("\n ")
	}
	p.text("}")
}

// WriteTokens writes the report oauthtokens of a window as the simulated ABS answers
// it now, without HTTP, keys, faults or cap. The bounds are read as ABS's dates, to the
// minute, in its zone.
func (s *Simulator) WriteTokens(ctx context.Context, w io.Writer, from, to time.Time) error {
	const form = "2006-01-02T15:04"
	loc := s.cfg.Location
	q, err := s.question(from.In(loc).Format(form), to.In(loc).Format(form), s.cfg.Now())
	if err != nil {
		return err
	}
	return s.writeTokens(ctx, w, q)
}

// WriteReport writes a report oauthtokens of the published shape for benchmarks: as
// many tokens as asked for, of 36 to 880 characters, with 1 to 4 IPs and 2 to 16 URLs
// each, some 1450 bytes a token. It tells how many requests the report tells of.
func WriteReport(w io.Writer, seed uint64, tokens int) (requests int64, err error) {
	t := newTraffic(Config{Seed: seed, Tokens: tokens, Rate: 1}.withDefaults())
	later := wallTime{time.Date(2018, time.February, 18, 18, 0, 0, 0, time.UTC)}
	var (
		p   profile
		sum tally
	)
	fill := func(slot uint64) token {
		id := tokenID{slot: uint32(slot)}
		seed := t.tokenSeed(id)
		p, sum = t.profile(seed), tally{}
		h := mix(seed, k1)
		busy := 1 + h>>40&0xff>>(h&7)
		for k := range max(p.url, p.ips) + p.url/2 + p.ips {
			r := mix(h, k)
			ip := k % p.ips // first each IP and each URL once, then any
			if k >= max(p.url, p.ips) {
				ip = below(r*k1, p.ips)
			}
			n := int64(1 + below(r, busy))
			sum.total += n
			method := r >> 8 & 3 & (r >> 10 & 3)
			sum.ip[ip].add(&p, r&1&(p.devices-1), method, k%p.url, n)
		}
		return token{id: id, total: sum.total, profile: &p, sum: &sum}
	}
	for i := range t.tokens {
		requests += fill(i).total
	}
	out := &page{w: w, buf: make([]byte, 0, flushAt+8<<10)}
	out.tokensHead(wallTime{later.AddDate(0, 0, -5)}, later, int64(t.tokens), requests)
	name := make([]byte, 0, 880)
	for i := range t.tokens {
		tok := fill(i)
		name = t.appendToken(name[:0], tok.id)
		out.fastRow(&t, name, tok, 0, p.ips, tok.total, i == 0)
		if err := out.flush(flushAt); err != nil {
			return requests, err
		}
	}
	if t.tokens == 0 {
		out.text("]\n}\n")
	} else {
		out.text(tokensFoot)
	}
	return requests, out.flush(0)
}

// tokensOf are the tokens of attacks, each once, in order.
func tokensOf(attacks []Attack) []string {
	var out []string
	for _, a := range attacks {
		out = append(out, a.Token)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
