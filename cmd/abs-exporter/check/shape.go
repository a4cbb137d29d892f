package check

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// maxPrefix is how much of a body its shape is read from.
const maxPrefix = 1 << 20

// prefix keeps the begin of a body.
type prefix struct {
	kept []byte
	size int64
}

func (p *prefix) reset() { p.kept, p.size = p.kept[:0], 0 }

// Write never fails.
func (p *prefix) Write(b []byte) (int, error) {
	p.size += int64(len(b))
	p.kept = append(p.kept, b[:min(len(b), maxPrefix-len(p.kept))]...)
	return len(b), nil
}

// shape is what a body is made of: types, and the names of members, but no values. Of an array it
// is that of all elements together. Objects whose members' names are data have one member, "*".
type shape struct {
	types   []string // object, array, string, number, bool, null; of a date its layout; in order of appearance
	members map[string]*shape
	order   []string
	element *shape
	html    bool // the body is a web page
	cut     bool // the body is longer than what was read of it, or no JSON further on
}

var errNoJSON = errors.New("no JSON")

// shape returns that of the body so far; nil without one.
func (p *prefix) shape() *shape {
	if len(bytes.TrimSpace(p.kept)) == 0 {
		return nil
	}
	top := &shape{}
	s := jsonscan.New(func(jsonscan.Failure) error { return errNoJSON })
	s.Reset(bytes.NewReader(p.kept), 0)
	s.Begin()
	if s.Peek() == '<' {
		top.html = true
		return top
	}
	top.read(s, "", 0)
	s.Finish()
	top.cut = s.Err() != nil
	return top
}

func (t *shape) is(kind string) {
	if !slices.Contains(t.types, kind) {
		t.types = append(t.types, kind)
	}
}

// read adds the next value, the member of that name.
func (t *shape) read(s *jsonscan.Scanner, name string, depth int) {
	if s.Err() != nil {
		return
	}
	switch s.Peek() {
	case '{':
		if t.is("object"); s.TooDeep(depth) {
			return
		}
		for key, more := s.Open(); more; key, more = s.Next() {
			member := "*"
			if !isData(name) {
				member = knownName(string(key))
			}
			t.member(member).read(s, member, depth+1)
		}
	case '[':
		if t.is("array"); s.TooDeep(depth) {
			return
		}
		if isData(name) {
			name = "" // only an object has data as names
		}
		for range s.Elements() {
			if t.element == nil {
				t.element = &shape{}
			}
			t.element.read(s, name, depth+1)
		}
	case '"':
		text, cut := s.Text()
		if layout := dateLayout(string(text)); !cut && layout != "" && isDate(name) {
			t.is(layout)
		} else {
			t.is("string")
		}
	case 't', 'f':
		t.is("bool")
		s.Skip(depth)
	case 'n':
		t.is("null")
		s.Skip(depth)
	default:
		t.is("number")
		s.Skip(depth)
	}
}

func (t *shape) member(name string) *shape {
	if t.members == nil {
		t.members = map[string]*shape{}
	}
	if t.members[name] == nil {
		t.members[name] = &shape{}
		t.order = append(t.order, name)
	}
	return t.members[name]
}

// dataNames are the members whose objects have data as names: APIs, paths, devices, attack types.
var dataNames = []string{"devices", "methods", "urls", "apis", "attack_types", "anomaly_types", "cookies", "ioc_types", "jwt", "*", "?"}

func isData(name string) bool { return slices.Contains(dataNames, name) }

func isDate(name string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(name, func(r rune) bool { return r == '_' }), func(word string) bool {
		return slices.Contains([]string{"date", "time", "expiry", "at", "created", "updated"}, word)
	})
}

// dateLayout returns a date with each digit as 9 and each letter as a; "" for a text that has other
// characters than a date has, or more.
func dateLayout(text string) string {
	if len(text) > 40 || !strings.ContainsFunc(text, unicode.IsDigit) {
		return ""
	}
	for _, r := range text {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" :-+./", r) {
			return ""
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsDigit(r):
			return '9'
		case unicode.IsLetter(r):
			return 'a'
		}
		return r
	}, text)
}

// knownName returns the name of a member if all of its words are those of a report's structure, and
// "?" for any other: it may be data.
func knownName(name string) string {
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '-' }) {
		if !slices.Contains(structure, strings.ToLower(word)) {
			return "?"
		}
	}
	return name
}

// structure are the words that names of members in ABS's reports are made of (its published pages),
// and those that members of the same kind would be made of.
var structure = strings.Fields(`
	abs access across active admin anomalies anomaly api apikey apikeys apis ase at attack attacks attempts
	body bytes category cause client cluster code company configuration connections continuous cookie cookies count cpu created
	creation current
	dashboard date description details deviation devices disabled discovery disk duration
	earlier enabled end error errors exceeded expired expiry
	file filesystem found from
	global header health hit host hours
	id info initial inactive interval ioc ip ips
	jwt key keys last later length level license limit list listed local location log logs
	management max memory message method methods metrics minutes mode mongo mongodb month mongod
	name no node nodes not number
	oauth of offset os
	page path per percentage poc port prediction processed protocol
	qs rate reason report requests response result root
	seconds server servers service session size source started start state status subpath success summary system
	time timestamp tier timezone token tokens total training transactions tracking ttl type types
	unique unit until updated uptime url urls usage used user username usernames uuid
	value version window zone zones
`)

// MarshalJSON writes a type, an object of members, an array of one element, or a list of these
// where there are several.
func (t *shape) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	t.write(&b)
	return b.Bytes(), nil
}

// text is the shape as JSON, cut where it is long.
func (t *shape) text() string {
	const most = 400
	if t == nil {
		return "no body"
	}
	var b bytes.Buffer
	t.write(&b)
	if b.Len() > most {
		return b.String()[:most] + "…"
	}
	return b.String()
}

func (t *shape) write(b *bytes.Buffer) {
	if t.html {
		b.WriteString(`"web page"`)
		return
	}
	if len(t.types) == 0 {
		b.WriteString(`"no JSON"`)
		return
	}
	if len(t.types) > 1 {
		b.WriteString(`{"either": [`)
	}
	for i, kind := range t.types {
		if i > 0 {
			b.WriteString(", ")
		}
		switch kind {
		case "object":
			b.WriteByte('{')
			for n, name := range t.order {
				if n > 0 {
					b.WriteString(", ")
				}
				quote(b, name)
				b.WriteString(": ")
				t.members[name].write(b)
			}
			b.WriteByte('}')
		case "array":
			b.WriteByte('[')
			if t.element != nil {
				t.element.write(b)
			}
			b.WriteByte(']')
		default:
			quote(b, kind)
		}
	}
	if len(t.types) > 1 {
		b.WriteString("]}")
	}
}

func quote(b *bytes.Buffer, text string) {
	out, _ := json.Marshal(text) // any text has a JSON form
	b.Write(out)
}
