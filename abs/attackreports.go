package abs

import (
	"io"
)

const (
	nameAttack = "api_attack_type"
	// maxWaiting bounds, in bytes, the tokens that wait for an attack type or an API that
	// the report tells behind them.
	maxWaiting = 1 << 20
	// waitingCost is what one of them takes beside its texts.
	waitingCost = 64
)

// attackReading is the reading of one hint report. ABS's pages show these reports in parts
// only (the attack report's sample; of the attack list, the body that it takes), so that
// what is looked for are the lists of tokens, wherever they stand. All else is skipped, but
// must be JSON.
type attackReading struct {
	*rowReader
	own     string // the report's name; "" where it is not published
	title   string // what to call the report in an error
	typed   bool   // whether attack types and APIs are wanted
	flagged func(FlaggedToken) error
	sum     AttackSummary

	// Tokens come before their attack type when ABS writes the members in another order.
	// They wait in held, each with the depth of the object whose members may still tell it;
	// places has what each open object has told so far, by its depth.
	waiting []suspect
	held    []byte
	places  [maxDepth + 1]place

	attackType, api string // the last ones, so that the same text is not kept twice

	known   bool // a member of such reports was seen
	named   bool // the report has a name
	strange bool // there is something, but nothing of such reports
	message bool
}

// place is where an attack was seen, as far as it is known.
type place struct{ attackType, api string }

// over gives p, and what p lacks from q.
func (p place) over(q place) place {
	if p.attackType == "" {
		p.attackType = q.attackType
	}
	if p.api == "" {
		p.api = q.api
	}
	return p
}

func (p place) complete() bool { return p.attackType != "" && p.api != "" }

// suspect is a token that waits: held[from:to].
type suspect struct {
	from, to, depth int
	place
}

// readAttackList reads the attack list; limit and the error are as in readTokens.
func (r *rowReader) readAttackList(body io.Reader, limit int64, flagged func(token []byte) error) (AttackSummary, error) {
	h := &attackReading{rowReader: r, title: "the attack list", flagged: func(h FlaggedToken) error { return flagged(h.Token) }}
	return h.document(body, limit, ReportAttackList)
}

// readAttacks reads the attack report about one API, or across APIs.
func (r *rowReader) readAttacks(body io.Reader, limit int64, flagged func(FlaggedToken) error) (AttackSummary, error) {
	h := &attackReading{rowReader: r, own: nameAttack, title: nameAttack, typed: true, flagged: flagged}
	return h.document(body, limit, ReportAttack)
}

func (h *attackReading) document(body io.Reader, limit int64, report string) (AttackSummary, error) {
	h.reset(body, limit, report)
	switch h.peek() {
	case '{':
		h.object(0, true)
		h.flush()
	case '[':
		for more := h.openArray(); more; more = h.nextElement() {
			h.topAt++
			h.inside(1, true)
			h.flush()
			if h.err != nil {
				break
			}
		}
		if h.err == nil {
			h.topAt = -1
		}
	default:
		h.rowReader.document() // says what it is instead
	}
	h.finish()
	if h.err == nil && !h.known {
		switch {
		case h.message:
			h.unnamed(true)
		case h.strange && !h.named:
			h.fail(h.offset(), "nothing in the answer belongs to "+h.title)
		}
	}
	if h.err != nil {
		return AttackSummary{Bytes: h.read()}, h.err
	}
	h.sum.Bytes = h.read()
	return h.sum, nil
}

// inside looks for lists in a value whose name says nothing. report says that the value is
// a report of its own: an element of the array that is the answer.
func (h *attackReading) inside(depth int, report bool) {
	if h.err != nil {
		return
	}
	switch h.peek() {
	case '{':
		h.object(depth, report)
	case '[':
		h.strange = true
		if h.tooDeep(depth) {
			return
		}
		for more := h.openArray(); more; more = h.nextElement() {
			h.inside(depth+1, false)
		}
	case 'n':
		h.literal("null")
	default:
		h.strange = true
		h.skip(depth)
	}
}

// tooDeep is skip's bound for values that are not skipped.
func (h *attackReading) tooDeep(depth int) bool {
	if h.err == nil && depth >= maxDepth {
		h.fail(h.offset(), "values are nested deeper than 64")
	}
	return h.err != nil
}

// object reads a report, or an object that may hold one.
func (h *attackReading) object(depth int, report bool) {
	if h.tooDeep(depth) {
		return
	}
	for key, more := h.open(); more; key, more = h.next() {
		switch string(key) {
		case "access_tokens":
			h.list("access_tokens", depth)
		case "oauth_tokens":
			h.list("oauth_tokens", depth)
		case "attack_type":
			h.known = true
			h.label("attack_type", depth+1, &h.attackType, &h.places[depth].attackType)
		case "ioc_type": // its name in older versions
			h.known = true
			h.label("ioc_type", depth+1, &h.attackType, &h.places[depth].attackType)
		case "api_name":
			h.label("api_name", depth+1, &h.api, &h.places[depth].api)
		case "ips", "cookies", "api_keys", "usernames": // clients of other kinds
			h.known = true
			h.skip(depth + 1)
		case "name":
			if report {
				h.name()
				break
			}
			h.skip(depth + 1)
		case "message":
			h.message = h.message || report
			h.skip(depth + 1)
		default:
			h.strange = true
			h.inside(depth+1, false)
		}
		if h.err != nil {
			return
		}
		h.at = ""
	}
	if h.err == nil {
		h.leave(depth)
	}
}

// name refuses a report that ABS is known to have under another name. One that is not known
// is as good as any, since not all names are published.
func (h *attackReading) name() {
	h.at, h.named = "name", true
	at := h.startOf()
	if h.peek() != '"' {
		h.skip(1)
		return
	}
	if got := string(h.str()); h.err == nil && got != h.own && isOtherReport(got) {
		h.fail(at, "this is the report "+got+", not "+h.title)
	}
}

// label reads an attack type or an API into dst; what is no text, or empty, tells nothing.
// last is kept so that the same text is one string however often it comes.
func (h *attackReading) label(at string, depth int, last, dst *string) {
	if h.err != nil {
		return
	}
	h.at = at
	if h.peek() != '"' {
		h.skip(depth)
		return
	}
	text := h.str()
	if h.err != nil || len(text) == 0 || !h.typed {
		return
	}
	if string(text) != *last {
		*last = string(text)
	}
	*dst = *last
}

// list reads a list of tokens that is a member of the object at depth. A token that is not
// in an array is a list of one.
func (h *attackReading) list(at string, depth int) {
	h.known, h.at = true, at
	if h.null() || h.err != nil {
		return
	}
	h.sum.Lists++
	h.section, h.at = at, ""
	if h.peek() != '[' {
		h.entry(depth, depth+1)
	} else if !h.tooDeep(depth + 1) {
		for more := h.openArray(); more; more = h.nextElement() {
			h.rowAt++
			h.entry(depth, depth+2)
			if h.err != nil {
				return
			}
			h.at = ""
		}
	}
	if h.err == nil {
		h.section, h.rowAt = "", -1
	}
}

// entry reads one entry of a list: a token, or an object with one. of is the depth of the
// object that has the list.
func (h *attackReading) entry(of, depth int) {
	switch h.peek() {
	case '"':
		if token := h.str(); h.err == nil {
			h.suspect(token, of, place{})
		}
	case '{':
		h.element(of, depth)
	case 'n':
		h.literal("null")
	default:
		h.sum.Unread++
		h.skip(depth)
	}
}

// element reads an object that tells of one token. The first member that can be the token
// is it.
func (h *attackReading) element(of, depth int) {
	if h.tooDeep(depth) {
		return
	}
	if cap(h.arena) > maxKept {
		h.arena = nil
	}
	h.arena = h.arena[:0]
	var (
		token []byte
		where place
		empty = true
	)
	for key, more := h.open(); more; key, more = h.next() {
		empty = false
		switch string(key) {
		case "access_token", "token", "oauth_token":
			h.at = "access_token"
			if len(token) == 0 && h.peek() == '"' {
				token = h.keep(h.str())
				break
			}
			h.skip(depth + 1)
		case "attack_type", "ioc_type":
			h.label("attack_type", depth+1, &h.attackType, &where.attackType)
		case "api_name":
			h.label("api_name", depth+1, &h.api, &where.api)
		default:
			h.skip(depth + 1)
		}
		if h.err != nil {
			return
		}
		h.at = ""
	}
	if h.err == nil && !empty {
		h.suspect(token, of, where)
	}
}

// suspect hands a token out, or lets it wait for what the object at depth of has not told.
func (h *attackReading) suspect(token []byte, of int, where place) {
	if len(token) == 0 {
		h.sum.Unread++
		return
	}
	where = where.over(h.places[of])
	if !h.typed || where.complete() && len(h.waiting) == 0 {
		h.hand(token, where)
		return
	}
	cost := len(token) + len(where.attackType) + len(where.api)
	if len(h.waiting) > 0 && len(h.held)+cost+waitingCost*len(h.waiting) > maxWaiting {
		h.flush()
	}
	from := len(h.held)
	h.held = append(h.held, token...)
	h.waiting = append(h.waiting, suspect{from, len(h.held), of, where})
}

func (h *attackReading) hand(token []byte, where place) {
	if h.err != nil {
		return
	}
	h.sum.Tokens++
	if err := h.flagged(FlaggedToken{Token: token, AttackType: where.attackType, API: where.api}); err != nil {
		h.err = err
	}
}

// leave ends the object at depth: tokens in it that still lack something may get it from
// the object around it.
func (h *attackReading) leave(depth int) {
	for i := len(h.waiting) - 1; i >= 0 && h.waiting[i].depth >= depth; i-- {
		w := &h.waiting[i]
		w.place = w.over(h.places[depth])
		w.depth = depth - 1
	}
	h.places[depth] = place{}
}

// flush hands out all that wait, with what is known by now.
func (h *attackReading) flush() {
	for _, w := range h.waiting {
		for depth := w.depth; depth >= 0; depth-- {
			w.place = w.over(h.places[depth])
		}
		h.hand(h.held[w.from:w.to], w.place)
	}
	h.waiting, h.held = h.waiting[:0], h.held[:0]
}
