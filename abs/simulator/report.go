package simulator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"strconv"
	"time"
)

// query is what a report was requested for, and when.
type query struct {
	earlier, later wallTime
	at             time.Time
	known          time.Time // up to when what arrived is known
	view           *view
	restricted     bool
}

func (s *Simulator) query(earlier, later string, at time.Time, known int64) (query, error) {
	e, err := parseWall(earlier)
	if err != nil {
		return query{}, err
	}
	l, err := parseWall(later)
	if err != nil {
		return query{}, err
	}
	spans, err := s.cfg.spans(e, l)
	if err != nil {
		return query{}, err
	}
	return query{earlier: e, later: l, at: at, known: time.Unix(0, known), view: s.view(spans, known)}, nil
}

// page writes a report row by row, so that it is never in memory all at once.
type page struct {
	w       io.Writer
	buf     []byte
	written int64 // flushed
}

const flushAt = 32 << 10

// newPage returns an empty page. Most reports are short, so its buffer begins small.
func newPage(w io.Writer) *page { return &page{w: w, buf: make([]byte, 0, 2<<10)} }

func (p *page) text(s string)  { p.buf = append(p.buf, s...) }
func (p *page) number(n int64) { p.buf = strconv.AppendInt(p.buf, n, 10) }

// flush writes what has gathered, if that is at least so many bytes.
func (p *page) flush(least int) error {
	if len(p.buf) < least || len(p.buf) == 0 {
		return nil
	}
	n, err := p.w.Write(p.buf)
	p.written += int64(n)
	p.buf = p.buf[:0]
	return err
}

// head begins a report. As in the published ones a raw line break and two spaces stand inside the
// description, which makes them no valid JSON.
func (p *page) head(name, description string, earlier, later wallTime) {
	p.text("{\n \"company\": \"ping identity\",\n \"name\": \"" + name + "\",\n \"description\": \"" + description +
		"\",\n \"earlier_date\": \"" + earlier.String() + "\",\n \"later_date\": \"" + later.String() + "\",\n")
}

func (p *page) tokensHead(earlier, later wallTime, tokens, requests int64) {
	p.head("oauth_token_metrics", "This report contains a summary and detailed oauth token\n  metrics across all APIs", earlier, later)
	p.text(" \"summary\": {\n \"tokens\": ")
	p.number(tokens)
	p.text(",\n \"total_requests\": ")
	p.number(requests)
	p.text("\n },\n \"details\": [")
}

const tokensFoot = "\n ]\n}\n"

func (p *page) tokensFoot(rows int) error {
	if rows == 0 {
		p.text("]\n}\n")
	} else {
		p.text(tokensFoot)
	}
	return p.flush(0)
}

// writeTokens writes the report oauthtokens.
func (s *Simulator) writeTokens(ctx context.Context, w io.Writer, q query) error {
	salt := mix(mix(s.cfg.Seed, uint64(q.at.UnixNano())), mix(uint64(q.earlier.Unix()), uint64(q.later.Unix())))
	var tokens, requests int64
	if err := s.traffic.each(ctx, q.view, salt, true, func(c *tokenCounts) error {
		tokens++
		requests += c.total
		return nil
	}); err != nil {
		return err
	}
	p := newPage(w)
	p.tokensHead(q.earlier, q.later, tokens, requests)
	rows, full := 0, false
	var token []byte
	err := s.traffic.each(ctx, q.view, salt, false, func(c *tokenCounts) error {
		begin := len(p.buf)
		token = append(token[:0], c.token...)
		if q.restricted {
			token = obfuscate(token)
		}
		if n := s.cfg.SplitRows; n > 0 && (rows+1)%n == 0 && len(c.addresses) > 1 {
			p.row(token, c.addresses[:1], rows == 0)
			p.row(token, c.addresses[1:], false)
		} else {
			p.row(token, c.addresses, rows == 0)
		}
		if s.cfg.CapKind == CapRows && s.cfg.ResponseCap > 0 && p.written+int64(len(p.buf)+len(tokensFoot)) > s.cfg.ResponseCap {
			// Once a row didn't fit, none after it is written, however small.
			p.buf, full = p.buf[:begin], true
			return errFull
		}
		rows++
		return p.flush(flushAt)
	})
	if err != nil && !full {
		return err
	}
	return p.tokensFoot(rows)
}

// obfuscate returns what a restricted user gets instead of a token. The vendor's pages don't say
// what it is; an event of ABS's shows 64 hex digits (facts 1).
func obfuscate(token []byte) []byte {
	sum := sha256.Sum256(token)
	return hex.AppendEncode(token[:0], sum[:])
}

// appendString appends a text as a JSON string.
func appendString[T string | []byte](dst []byte, s T) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			b, _ := json.Marshal(string(s)) // any text has a JSON form
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func (p *page) row(token []byte, addresses []addressCounts, first bool) {
	if !first {
		p.text(",")
	}
	p.text("\n {")
	p.metrics(token, addresses)
	p.text("\n }")
}

func (p *page) metrics(token []byte, addresses []addressCounts) {
	var total int64
	for i := range addresses {
		total += addresses[i].total
	}
	p.text("\n \"token\": ")
	p.buf = appendString(p.buf, token)
	p.text(",\n \"total_requests\": ")
	p.number(total)
	p.text(",\n \"ip_list\": [")
	for i := range addresses {
		a := &addresses[i]
		if i > 0 {
			p.text(",")
		}
		p.text("\n {\n \"ip\": ")
		p.buf = appendString(p.buf, a.ip)
		p.text(",\n \"total_requests\": ")
		p.number(a.total)
		p.counts("devices", a.devices)
		p.counts("methods", a.methods)
		p.counts("urls", a.urls)
		p.counts("apis", a.apis)
		p.text("\n }")
	}
	if len(addresses) > 0 {
		p.text("\n ")
	}
	p.text("]")
}

func (p *page) counts(name string, counts counts) {
	p.text(",\n \"")
	p.text(name)
	p.text("\": {")
	for i := range counts {
		if i > 0 {
			p.text(",")
		}
		p.text("\n ")
		p.buf = appendString(p.buf, counts[i].value)
		p.text(": ")
		p.number(counts[i].n)
	}
	p.text("\n }")
}

// writeForensics writes the report about one token. About a token that ABS doesn't know it is
// empty: what a real one does is not published.
func (s *Simulator) writeForensics(w io.Writer, q query, token string) error {
	c := s.traffic.countsOf(q.view, token)
	attacks := s.attacksIn(q.view.spans, func(a Attack) bool {
		return a.Token == token && !a.VisibleFrom.After(q.known)
	})
	found, anomalies := findings(attacks, false), findings(attacks, true)

	p := newPage(w)
	p.head("api_abs_token", "This report contains a summary and detailed information on\n  metrics, attacks and anomalies "+
		"for the specified token across all APIs.", q.earlier, q.later)
	p.text(" \"summary\": {\n \"total_requests\": ")
	p.number(c.total)
	p.text(",\n \"total_attacks\": ")
	p.number(int64(len(found)))
	p.text(",\n \"total_anomalies\": ")
	p.number(int64(len(anomalies)))
	p.text("\n },\n \"details\": {\n \"metrics\": {")
	p.metrics(c.token, c.addresses)
	p.text("\n }")
	p.findings("attack_types", found)
	p.findings("anomaly_types", anomalies)
	p.text("\n }\n}\n")
	return p.flush(0)
}

func (p *page) findings(name string, types map[string][]string) {
	b, _ := json.MarshalIndent(types, " ", "") // any of these has a JSON form
	p.text(",\n \"" + name + "\": " + string(b))
}

// WriteTokens writes the report oauthtokens of a window as the simulated ABS reports it now,
// without HTTP, keys, faults or cap. The bounds are read as ABS's dates, to the minute, in its
// zone.
func (s *Simulator) WriteTokens(ctx context.Context, w io.Writer, from, to time.Time) error {
	loc, now := s.cfg.Location, s.cfg.Now()
	q, err := s.query(from.In(loc).Format(minuteForm), to.In(loc).Format(minuteForm), now, s.knownBy(now.UnixNano()))
	if err != nil {
		return err
	}
	return s.writeTokens(ctx, w, q)
}

// WriteReport writes a report oauthtokens of the published shape for benchmarks: as many tokens as
// requested, of 36 to 880 characters, with 1 to 4 IPs and 2 to 16 URLs each, some 1450 bytes a
// token. It returns the number of requests in the report.
func WriteReport(w io.Writer, seed uint64, tokens int) (requests int64, err error) {
	t := newTraffic(Config{Seed: seed, Tokens: tokens, Rate: 1}.withDefaults())
	var c tokenCounts
	fill := func(slot uint64) {
		id := tokenID{slot: uint32(slot)}
		seed := t.tokenSeed(id)
		p, sum := t.profile(seed), tally{}
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
		t.fill(&c, id, &p, &sum)
	}
	for i := range t.tokens {
		fill(i)
		requests += c.total
	}
	later := wallTime{time.Date(2018, time.February, 18, 18, 0, 0, 0, time.UTC)}
	p := newPage(w)
	p.tokensHead(wallTime{later.AddDate(0, 0, -5)}, later, int64(t.tokens), requests)
	for i := range t.tokens {
		fill(i)
		p.row(c.token, c.addresses, i == 0)
		if err := p.flush(flushAt); err != nil {
			return requests, err
		}
	}
	return requests, p.tokensFoot(int(t.tokens))
}
