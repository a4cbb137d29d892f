package reports

import (
	"io"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

const (
	nameAttack = "api_attack_type"
	// maxWaiting bounds, in bytes, the tokens that wait for an attack type or an API that the
	// report names after them.
	maxWaiting = 1 << 20
	// waitingCost is the size of a waitingToken without its texts.
	waitingCost = 112
)

// attackReader reads one attack list or attack report. ABS's pages show these reports only in part
// (of the attack report a sample; of the attack list the body that it accepts), so lists of tokens
// are looked for at any depth. Everything else is skipped, but must be JSON.
type attackReader struct {
	*reportReader
	reportName string // "" where it is not published
	title      string // what an error calls the report
	labelled   bool   // attack types and APIs are wanted
	flagged    func(FlaggedToken) error
	sum        AttackSummary

	// A token precedes its attack type where ABS writes the members in another order. It waits
	// until the object that has the type, or one around that object, has ended. labels has what
	// each open object has said so far, by its depth.
	waiting      []waitingToken
	waitingTexts []byte
	labels       [jsonscan.MaxDepth + 1]attackLabels

	last attackLabels // the last ones read, so that repeated texts share one string

	known   bool // a member of such reports was seen
	named   bool // the report has a name
	strange bool // there is something that does not belong to such reports
	message bool
}

// attackLabels are the attack type and the API of a token; "" is not known, or not yet.
type attackLabels struct{ attackType, api string }

// fill sets what l lacks from outer.
func (l *attackLabels) fill(outer attackLabels) {
	if l.attackType == "" {
		l.attackType = outer.attackType
	}
	if l.api == "" {
		l.api = outer.api
	}
}

// waitingToken is waitingTexts[from:to], which may still get labels from the object at depth.
type waitingToken struct {
	from, to, depth int
	access          accessTimes
	attackLabels
}

// readAttackList reads the attack list; limit and the error are as in readTokens.
func (r *reportReader) readAttackList(body io.Reader, limit int64, flagged func(token []byte) error) (AttackSummary, error) {
	a := &attackReader{
		reportReader: r, title: "the attack list",
		flagged: func(f FlaggedToken) error { return flagged(f.Token) },
	}
	return a.readReport(body, limit, KindAttackList)
}

// readAttacks reads the attack report, of one API or across APIs.
func (r *reportReader) readAttacks(body io.Reader, limit int64, flagged func(FlaggedToken) error) (AttackSummary, error) {
	a := &attackReader{reportReader: r, reportName: nameAttack, title: nameAttack, labelled: true, flagged: flagged}
	return a.readReport(body, limit, KindAttack)
}

func (a *attackReader) readReport(body io.Reader, limit int64, report string) (AttackSummary, error) {
	a.reset(body, limit, report)
	a.Begin()
	switch a.Peek() {
	case '{':
		a.object(0, true)
		a.flush()
	case '[':
		for range a.Elements() {
			a.topAt++
			a.value(1, true)
			a.flush()
		}
		a.topAt = -1
	default:
		a.beginsObject() // fails, with what the body is instead
	}
	a.Finish()
	switch {
	case a.known:
	case a.message:
		a.failMessage()
	case a.strange && !a.named:
		a.Fail(a.Offset(), "nothing in the answer belongs to "+a.title)
	}
	if a.Err() != nil {
		a.sum = AttackSummary{}
	}
	a.sum.Bytes = a.Read()
	return a.sum, a.Err()
}

// value looks for lists in a value whose name says nothing. report is true for a report of its own:
// an element of the array that is the answer.
func (a *attackReader) value(depth int, report bool) {
	switch a.Peek() {
	case '{':
		a.object(depth, report)
	case '[':
		a.strange = true
		if a.TooDeep(depth) {
			return
		}
		for range a.Elements() {
			a.value(depth+1, false)
		}
	case 'n':
		a.Literal("null")
	default:
		a.strange = true
		a.Skip(depth)
	}
}

// object reads an object that is a report or may hold one.
func (a *attackReader) object(depth int, report bool) {
	if a.TooDeep(depth) {
		return
	}
	labels := &a.labels[depth]
	for key := range a.members() {
		switch name := string(key); name {
		case "access_tokens", "oauth_tokens":
			a.list(name, depth)
		case "attack_type", "ioc_type": // ioc_type in older versions
			a.known = true
			a.label(name, depth+1, &a.last.attackType, &labels.attackType)
		case "api_name":
			a.label(name, depth+1, &a.last.api, &labels.api)
		case "ips", "cookies", "api_keys", "usernames": // clients of other kinds
			a.known = true
			a.Skip(depth + 1)
		case "name":
			if report {
				a.checkName()
			} else {
				a.Skip(depth + 1)
			}
		case "message":
			a.message = a.message || report
			a.Skip(depth + 1)
		default:
			a.strange = true
			a.value(depth+1, false)
		}
	}
	// The object has ended: its waiting tokens may still get labels from the object around it.
	for i := len(a.waiting) - 1; i >= 0 && a.waiting[i].depth >= depth; i-- {
		a.waiting[i].fill(*labels)
		a.waiting[i].depth = depth - 1
	}
	*labels = attackLabels{}
}

// checkName refuses a report that ABS is known to have under another name. An unknown name is
// accepted, because not all names are published.
func (a *attackReader) checkName() {
	a.at, a.named = "name", true
	at := a.StartOf()
	if a.Peek() != '"' {
		a.Skip(1)
		return
	}
	if got := string(a.Str()); a.Err() == nil && got != a.reportName && isKnownReport(got) {
		a.Fail(at, "this is the report "+got+", not "+a.title)
	}
}

// label reads an attack type or an API into dst. Anything but a text that is not empty is ignored.
func (a *attackReader) label(at string, depth int, last, dst *string) {
	a.at = at
	if a.Peek() != '"' {
		a.Skip(depth)
		return
	}
	text := a.Str()
	if len(text) == 0 || !a.labelled {
		return
	}
	if string(text) != *last {
		*last = string(text)
	}
	*dst = *last
}

// list reads a list of tokens, a member of the object at depth. A token that is not in an array is
// a list of one.
func (a *attackReader) list(at string, depth int) {
	a.known, a.at = true, at
	if a.Null() {
		return
	}
	a.sum.Lists++
	a.section, a.at = at, ""
	if a.Peek() != '[' {
		a.entry(depth, depth+1)
	} else if !a.TooDeep(depth + 1) {
		for range a.Elements() {
			a.rowAt++
			a.entry(depth, depth+2)
		}
	}
	a.section, a.rowAt = "", -1
}

// entry reads one entry of a list: a token, or an object with one. of is the depth of the object
// that has the list.
func (a *attackReader) entry(of, depth int) {
	switch a.Peek() {
	case '"':
		a.found(a.Str(), of, attackLabels{}, accessTimes{})
	case '{':
		a.entryObject(of, depth)
	case 'n':
		a.Literal("null")
	default:
		a.sum.Unread++
		a.Skip(depth)
	}
}

// entryObject reads an entry that is an object. The first member that can be the token is it.
func (a *attackReader) entryObject(of, depth int) {
	if a.TooDeep(depth) {
		return
	}
	a.clearArena()
	var (
		token  []byte
		labels attackLabels
		access accessTimes
		empty  = true
	)
	for key := range a.members() {
		empty = false
		switch string(key) {
		case "access_token", "token", "oauth_token":
			a.at = "access_token"
			if len(token) == 0 && a.Peek() == '"' {
				token = a.keep(a.Str())
			} else {
				a.Skip(depth + 1)
			}
		case "attack_type", "ioc_type":
			a.label("attack_type", depth+1, &a.last.attackType, &labels.attackType)
		case "api_name":
			a.label("api_name", depth+1, &a.last.api, &labels.api)
		case "access_time", "details": // the times, or objects with one each in newer versions
			a.accessTimes(depth+1, &access)
		default:
			a.Skip(depth + 1)
		}
	}
	if !empty {
		a.found(token, of, labels, access)
	}
}

// accessTimes are the oldest and the newest access time of an entry; zero where there is none.
type accessTimes struct{ first, last time.Time }

// accessTimes widens times to the dates among the texts of a value, whatever its shape.
func (a *attackReader) accessTimes(depth int, times *accessTimes) {
	switch a.Peek() {
	case '"':
		t := parseDate(a.Str(), time.UTC)
		if t.After(times.last) {
			times.last = t
		}
		if !t.IsZero() && (times.first.IsZero() || t.Before(times.first)) {
			times.first = t
		}
	case '[':
		if a.TooDeep(depth) {
			return
		}
		for range a.Elements() {
			a.accessTimes(depth+1, times)
		}
	case '{':
		if a.TooDeep(depth) {
			return
		}
		for range a.members() {
			a.accessTimes(depth+1, times)
		}
	default:
		a.Skip(depth)
	}
}

// found delivers a token, or makes it wait for labels that the object at depth of has not named
// yet.
func (a *attackReader) found(token []byte, of int, labels attackLabels, access accessTimes) {
	if a.Err() != nil {
		return
	}
	if len(token) == 0 {
		a.sum.Unread++
		return
	}
	labels.fill(a.labels[of])
	complete := labels.attackType != "" && labels.api != ""
	if !a.labelled || complete && len(a.waiting) == 0 {
		a.deliver(token, labels, access)
		return
	}
	cost := len(token) + len(labels.attackType) + len(labels.api)
	if len(a.waiting) > 0 && len(a.waitingTexts)+cost+waitingCost*len(a.waiting) > maxWaiting {
		a.flush()
	}
	from := len(a.waitingTexts)
	a.waitingTexts = append(a.waitingTexts, token...)
	a.waiting = append(a.waiting, waitingToken{from, len(a.waitingTexts), of, access, labels})
}

func (a *attackReader) deliver(token []byte, labels attackLabels, access accessTimes) {
	if a.Err() == nil {
		a.sum.Tokens++
		a.Stop(a.flagged(FlaggedToken{
			Token: token, AttackType: labels.attackType, API: labels.api, FirstAccess: access.first, LastAccess: access.last,
		}))
	}
}

// flush delivers the waiting tokens with the labels that are known by now.
func (a *attackReader) flush() {
	for _, w := range a.waiting {
		for depth := w.depth; depth >= 0; depth-- {
			w.fill(a.labels[depth])
		}
		a.deliver(a.waitingTexts[w.from:w.to], w.attackLabels, w.access)
	}
	a.waiting, a.waitingTexts = a.waiting[:0], a.waitingTexts[:0]
}
