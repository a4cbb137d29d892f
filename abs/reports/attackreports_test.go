package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// The samples of the attack report as ABS's pages have them (across APIs, and about one API in the
// older and in the newer form), and the body that the attack list accepts.
const (
	attacksAcross = `[
 {
 "attack_type": "Stolen Token Attack Type 2",
 "name": "api_attack_type",
 "description": "Client (IP or cookie or token) involved
 in this attack",
 "earlier_date": "Tue Jan 02 16:00:00:000 2018",
 "later_date": "Mon Jan 01 18:00:00:000 2018",
 "api_name": "all",
 "access_tokens": [
 {
 "access_token": "SYU4R2ZZ",
 "access_time": [
 "Tue Jan 02 16:09:59:935 2018",
 "Tue Jan 02 16:10:59:935 2018"
 ]
 },
 {
 "access_token": "CT27QTP4",
 "details": [
 {
 "access_time": "Tue Jan 02 16:09:59:935 2018",
 "attack_code": "varA(Tx, 26)",
 "attack_deviation": "varA(700%)"
 }
 ]
 }
 ]
 },
 {
 "attack_type": "API Probing Replay Attack",
 "name": "api_attack_type",
 "api_name": "all",
 "ips": [ { "ip": "100.64.38.180", "access_time": [ "Tue Jan 02 16:09:59:935 2018" ] } ]
 }
]`
	attacksOfAPI = `{
 "company": "ping identity",
 "attack_type": "Data Exfiltration Attack",
 "cookie": "JSESSIONID",
 "name": "api_attack_type",
 "api_name": "shop",
 "cookies": [ { "cookie": "SYU", "access_time": [ "Tue Jan 02 16:09:59:935 2018" ] } ],
 "access_tokens": [ { "access_token": "t1", "details": [ { "access_time": "Tue Jan 02 16:09:59:935 2018", "attack_code": "varA(Tx, 26)" } ] } ]
}`
	attackListGroups = `{
 "ips": [ "1.1.1.1", "1.1.1.8" ],
 "cookies": { "PHPSESSIONID": [ "Cookie1", "Cookie2" ], "JSESSIONID": [ "Cookie3" ] },
 "oauth_tokens": [ "token1", "token2", "token3" ],
 "api_keys": [ "type2_api_key" ],
 "usernames": [ "user1", "user2" ]
}`
)

func flaggedText(h FlaggedToken) string { return fmt.Sprintf("%s|%s|%s", h.Token, h.AttackType, h.API) }

// attacksText reads an attack report and returns its flagged tokens as text.
func attacksText(body string) (flagged []string, sum AttackSummary, err error) {
	sum, err = newTestReader().readAttacks(iotest.HalfReader(strings.NewReader(body)), 0, func(h FlaggedToken) error {
		flagged = append(flagged, flaggedText(h))
		return nil
	})
	return flagged, sum, err
}

// attackListText does the same with an attack list.
func attackListText(body string) (tokens []string, sum AttackSummary, err error) {
	sum, err = newTestReader().readAttackList(iotest.HalfReader(strings.NewReader(body)), 0, func(token []byte) error {
		tokens = append(tokens, string(token))
		return nil
	})
	return tokens, sum, err
}

func TestPublishedAttackReports(t *testing.T) {
	for body, want := range map[string]string{
		attacksAcross: "[SYU4R2ZZ|Stolen Token Attack Type 2|all CT27QTP4|Stolen Token Attack Type 2|all] {2 0 1}",
		attacksOfAPI:  "[t1|Data Exfiltration Attack|shop] {1 0 1}",
	} {
		flagged, sum, err := attacksText(body)
		if got := fmt.Sprintf("%v {%d %d %d}", flagged, sum.Tokens, sum.Unread, sum.Lists); got != want || err != nil || sum.Bytes != int64(len(body)) {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
	tokens, sum, err := attackListText(attackListGroups)
	if want := (AttackSummary{Tokens: 3, Lists: 1, Bytes: int64(len(attackListGroups))}); !slices.Equal(tokens, []string{"token1", "token2", "token3"}) || sum != want || err != nil {
		t.Errorf("%v %+v %v", tokens, sum, err)
	}
}

// What the pages leave open about the shape. A flagged token is token|attack type|API.
func TestToleratedAttackReports(t *testing.T) {
	for _, c := range []struct {
		body    string
		flagged string // of the attack report; of the attack list the same without type and API
		unread  int64
	}{
		{`{}`, "", 0},
		{`[]`, "", 0},
		{` [ ] `, "", 0},
		{`[{}]`, "", 0},
		{`[null]`, "", 0},
		{`{"name":"something new","later_date":"x"}`, "", 0},
		{`{"name":7,"company":"ping identity"}`, "", 0},
		{`{"name":"something new","node":{"message":"fine"}}`, "", 0},
		{`{"ips":["1.1.1.1"]}`, "", 0},
		{`{"cookies":{},"message":"none"}`, "", 0},
		{`{"oauth_tokens":null}`, "", 0},
		{`{"oauth_tokens":[]}`, "", 0},
		{`{"oauth_tokens":{}}`, "", 0},
		{`{"oauth_tokens":[null,{}]}`, "", 0},
		{`{"oauth_tokens":["a","b","a"]}`, "a|| b|| a||", 0},
		{`{"access_tokens":["a"],"oauth_tokens":["b"]}`, "a|| b||", 0},
		{`{"oauth_tokens":"a"}`, "a||", 0},
		{`{"access_tokens":{"access_token":"a","access_time":["x"]}}`, "a||", 0},
		{`{"access_tokens":[{"token":"a"},{"oauth_token":"b"},{"access_token":"c"},"d"]}`, "a|| b|| c|| d||", 0},
		{`{"access_tokens":[{"details":[{"access_time":"x","token":"no"}],"access_token":"a","z":{}}]}`, "a||", 0},
		{`{"access_tokens":[{"token":"a","access_token":"b","oauth_token":""}]}`, "a||", 0},
		{`{"access_tokens":[{"token":null,"access_token":"","oauth_token":"a"}]}`, "a||", 0},
		{`{"access_tokens":["",7,["a"],true,{"x":"a"},{"token":["a"]},{"token":""}]}`, "", 7},
		{`{"oauth_tokens":7}`, "", 1},
		{`{"oauth_tokens":{"x":["a"]}}`, "", 1},
		{`{"data":{"x":[[{"oauth_tokens":["a"]}]]}}`, "a||", 0},
		{`[{"oauth_tokens":["a"]},{"oauth_tokens":["b"]}]`, "a|| b||", 0},
		{`[[{"oauth_tokens":["a"]}],7,"x"]`, "a||", 0},
		{"{\"oauth_tokens\":[\"a\nb\",\"\\u00e9\\ud83d\\ude00\",\"\xff\"]}", "a\nb|| é😀|| \uFFFD||", 0},
		{`{"attack_type":"A","api_name":"x","access_tokens":["a"]}`, "a|A|x", 0},
		{`{"access_tokens":["a","b"],"attack_type":"A","api_name":"x"}`, "a|A|x b|A|x", 0},
		{`{"access_tokens":["a"],"attack_type":"A","access_tokens":["b"],"api_name":"x","access_tokens":["c"]}`, "a|A|x b|A|x c|A|x", 0},
		{`{"ioc_type":"A","access_tokens":["a"]}`, "a|A|", 0},
		{`{"attack_type":null,"api_name":["x"],"access_tokens":["a"]}`, "a||", 0},
		{`{"attack_type":"","api_name":"x","access_tokens":["a"]}`, "a||x", 0},
		{`{"attack_type":"Stolen \"T\"\nAttack-","api_name":"é","access_tokens":["a"]}`, "a|Stolen \"T\"\nAttack-|é", 0},
		{`{"api_name":"x","attacks":[{"attack_type":"A","access_tokens":["a"]},{"access_tokens":["b"],"attack_type":"B"}]}`, "a|A|x b|B|x", 0},
		{`{"attacks":[{"access_tokens":["a"],"attack_type":"A","api_name":"y"},{"access_tokens":["b"]}],"attack_type":"B","api_name":"x"}`, "a|A|y b|B|x", 0},
		{`{"attacks":[{"access_tokens":["a"]},{"access_tokens":["b"],"attack_type":"B","api_name":"y"}],"api_name":"x"}`, "a||x b|B|y", 0},
		{`{"attack_type":"A","ioc_type":"","access_tokens":["a"]}`, "a|A|", 0},
		{`[{"attack_type":"A","api_name":"x"},{"access_tokens":["a"]},{"api_name":"y"}]`, "a||", 0},
		{`{"attack_type":"A","api_name":"x","access_tokens":[{"access_token":"a","attack_type":"B"},{"api_name":"y","ioc_type":"C","token":"b"}]}`, "a|B|x b|C|y", 0},
		{`{"details":[{"name":"oauth_token_metrics","oauth_tokens":["a"]}],"message":"x"}`, "a||", 0}, // no report's name
		{`{"x":` + strings.Repeat("[", 61) + `{"x":[]}` + strings.Repeat("]", 61) + `,"oauth_tokens":[]}`, "", 0},
	} {
		want := AttackSummary{
			Tokens: int64(strings.Count(c.flagged, "|") / 2), Unread: c.unread, Bytes: int64(len(c.body)),
			Lists: int64(strings.Count(c.body, `_tokens":`) - strings.Count(c.body, `_tokens":null`)),
		}
		flagged, sum, err := attacksText(c.body)
		if got := strings.Join(flagged, " "); got != c.flagged || err != nil || sum != want {
			t.Errorf("%s\n got %q %+v %v\nwant %q %+v", c.body, got, sum, err, c.flagged, want)
		}
		tokens, sum, err := attackListText(c.body)
		for i, h := range flagged {
			flagged[i], _, _ = strings.Cut(h, "|")
		}
		if !slices.Equal(tokens, flagged) || err != nil || sum != want {
			t.Errorf("%s as an attack list\n got %q %+v %v", c.body, tokens, sum, err)
		}
	}
}

func refusedAttackReports() []refusal {
	return []refusal{
		{``, "the body is empty (byte 0)"},
		{" \n", "the body has nothing but white space (byte 2)"},
		{`<html>cAnArY</html>`, "the answer is a web page (HTML or XML), not a report (byte 0)"},
		{`cAnArY`, "the answer is not JSON (byte 0)"},
		{`"cAnArY"`, "the answer is not JSON (byte 0)"},
		{`null`, "the answer is not JSON (byte 0)"},
		{`{"message":"no cAnArY","date":"05September2016"}`, "ABS answered with a message instead of a report (byte 48)"},
		{`{"name":"cAnArY","message":{"oauth_tokens":["cAnArY"]}}`, "ABS answered with a message instead of a report (byte 55)"},
		{`[{"message":"cAnArY"}]`, "ABS answered with a message instead of a report (byte 22)"},
		{`{"error":"cAnArY","status":500}`, "nothing in the answer belongs to TITLE (byte 31)"},
		{`["cAnArY"]`, "nothing in the answer belongs to TITLE (byte 10)"},
		{`[[]]`, "nothing in the answer belongs to TITLE (byte 4)"},
		{`{"name":"api_admin","oauth_tokens":["cAnArY"]}`, "this is the report api_admin, not TITLE (name, byte 8)"},
		{`{"oauth_tokens":["cAnArY"],"name":"oauth_token_metrics"}`, "this is the report oauth_token_metrics, not TITLE (name, byte 34)"},
		{`[{},{"name":"api_anomaly_type"}]`, "this is the report api_anomaly_type, not TITLE ([1].name, byte 12)"},
		{`{} cAnArY`, "something follows the report (byte 3)"},
		{`[]{}`, "something follows the report (byte 2)"},
		{`{"oauth_tokens":["cAnArY"`, "the body ends early (oauth_tokens[0], byte 25)"},
		{`{"oauth_tokens":["a","cAnArY`, "the body ends early (oauth_tokens[1], byte 28)"},
		{`[{"access_tokens":[{"access_token":"cAnArY","details":[`, "the body ends early ([0].access_tokens[0], byte 55)"},
		{`[{},{"access_tokens":["a",{"token":"cAnArY`, "the body ends early ([1].access_tokens[1].access_token, byte 42)"},
		{`[{"attack_type":"cAnArY`, "the body ends early ([0].attack_type, byte 23)"},
		{`[{},`, "the body ends early ([1], byte 4)"},
		{`{"oauth_tokens":["a" "cAnArY"]}`, "a comma or the array's end expected (oauth_tokens[0], byte 21)"},
		{`{"oauth_tokens":["a",]}`, "a value expected (oauth_tokens[1], byte 21)"},
		{`{"oauth_tokens":[nil]}`, "a value expected (oauth_tokens[0], byte 17)"},
		{`{"oauth_tokens":cAnArY}`, "a value expected (oauth_tokens, byte 16)"},
		{`{"oauth_tokens":[{"cAnArY" 1}]}`, "a colon expected (oauth_tokens[0], byte 27)"},
		{`{"oauth_tokens":["\q"]}`, "a backslash stands before a character that it cannot escape (oauth_tokens[0], byte 18)"},
		{`{"api_name":[}`, "a value expected (api_name, byte 13)"},
		{`{"cAnArY":[1,{"cAnArY":}]}`, "a value expected (byte 23)"},
		{`{"ips":[}`, "a value expected (byte 8)"},
		{`{"oauth_tokens":["` + strings.Repeat("t", jsonscan.MaxString+1) + `"]}`, "a string is longer than 1 MiB (oauth_tokens[0], byte 17)"},
		{strings.Repeat("[", 65), "values are nested deeper than 64 ([0], byte 64)"},
		{strings.Repeat(`{"x":`, 65), "values are nested deeper than 64 (byte 320)"},
		{strings.Repeat(`{"x":`, 63) + `{"oauth_tokens":[`, "values are nested deeper than 64 (oauth_tokens, byte 331)"},
		{strings.Repeat(`{"x":`, 62) + `{"oauth_tokens":[{`, "values are nested deeper than 64 (oauth_tokens[0], byte 327)"},
	}
}

func TestRefusedAttackReports(t *testing.T) {
	for _, c := range refusedAttackReports() {
		_, _, errList := attackListText(c.body)
		_, _, errAttacks := attacksText(c.body)
		for report, err := range map[string]error{"attacklist": errList, "attack": errAttacks} {
			title := map[string]string{"attacklist": "the attack list", "attack": "api_attack_type"}[report]
			want := "abs: " + report + ": " + strings.Replace(c.want, "TITLE", title, 1)
			short := c.body[:min(len(c.body), 120)]
			var e *Fault
			if !errors.As(err, &e) || e.TooLong || e.Report != report || e.Truncated != strings.Contains(want, "the body ends early") {
				t.Errorf("%s: not refused as it should be: %#v", short, err)
				continue
			}
			if got := err.Error(); got != want {
				t.Errorf("%s\n got %s\nwant %s", short, got, want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("%s: the error repeats what may be a token: %s", short, err)
			}
		}
	}
	// The name of one report is refused where the other was requested.
	const want = "abs: attacklist: this is the report api_attack_type, not the attack list ([0].name, byte 60)"
	if _, _, err := attackListText(attacksAcross); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestEveryPrefixOfAttackReportsIsRefused(t *testing.T) {
	r := newTestReader()
	for _, body := range []string{attacksAcross, attacksOfAPI} {
		for n := 1; n < len(body); n++ {
			var e *Fault
			_, err := r.readAttacks(strings.NewReader(body[:n]), 0, func(FlaggedToken) error { return nil })
			if !errors.As(err, &e) || !e.Truncated || e.TooLong || e.Offset != int64(n) {
				t.Fatalf("cut to %d bytes: %#v", n, err)
			}
		}
	}
}

func TestCallbackErrorStopsTheReading(t *testing.T) {
	stop := errors.New("stop")
	for _, body := range []string{
		`{"attack_type":"A","api_name":"x","access_tokens":["a","b","c"]}`,
		`{"access_tokens":["a","b","c"],"attack_type":"A","api_name":"x"}`,
	} {
		n := 0
		sum, err := newTestReader().readAttacks(strings.NewReader(body), 0, func(FlaggedToken) error {
			if n++; n == 2 {
				return stop
			}
			return nil
		})
		if err != stop || n != 2 || sum.Tokens != 0 { //nolint:errorlint // the very one
			t.Errorf("%v after %d tokens, %+v", err, n, sum)
		}
	}
}

// longReport generates a long report while it is read, so that only the reader's memory counts.
type longReport struct {
	head, tail string
	entry      func(dst []byte, i int) []byte
	n, of      int
	rest       []byte
	buf        []byte
}

func (s *longReport) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		b := s.buf[:0]
		switch {
		case s.n == 0:
			b = append(b, s.head...)
		case s.n <= s.of:
			if s.n > 1 {
				b = append(b, ',', '\n')
			}
			b = s.entry(b, s.n-1)
		case s.n == s.of+1:
			b = append(b, s.tail...)
		default:
			return 0, io.EOF
		}
		s.n++
		s.buf, s.rest = b, b
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// However long a list is, and in whatever order it is written, the memory is the same.
func TestAttackReportsAreStreamed(t *testing.T) {
	long(t)
	const entries = 400_000
	name := func(dst []byte, i int) []byte {
		// Not by fmt, which allocates what would count as the reader's.
		return append(strconv.AppendInt(append(dst, `"token-00000000000000000000-`...), int64(i)+1e9, 10), '"')
	}
	object := func(dst []byte, i int) []byte {
		return append(name(append(dst, `{"details":[{"access_time":"Tue Jan 02 16:09:59:935 2018"}],"access_token":`...), i), '}')
	}
	typed := func(dst []byte, i int) []byte {
		return append(name(append(dst, `{"attack_type":"Stolen Token Attack Type 2","api_name":"all","access_token":`...), i), '}')
	}
	const labels = `"attack_type":"A","api_name":"x"`
	for _, c := range []struct {
		name       string
		head, tail string
		entry      func([]byte, int) []byte
		// How many bytes may be allocated in all; what waits for its attack type is 1 MiB at most,
		// and its buffers grow by doubling.
		most     uint64
		labelled [2]int // how many have type and API: at least, at most
	}{
		{"strings", `{"oauth_tokens":[`, `]}`, name, 64 << 10, [2]int{0, 0}},
		{"labels before", `{` + labels + `,"access_tokens":[`, `]}`, object, 64 << 10, [2]int{entries, entries}},
		{"labels of each", `[{"access_tokens":[`, `]}]`, typed, 64 << 10, [2]int{entries, entries}},
		{"labels around", `{"attack_type":"A","x":[{"api_name":"x","y":{"access_tokens":[`, `]}}]}`, object, 8 << 20, [2]int{entries, entries}},
		// Those that are still waiting when the labels come have them.
		{"labels after", `{"access_tokens":[`, `],` + labels + `}`, object, 8 << 20, [2]int{1, maxWaiting / waitingCost}},
		{"no labels", `[{"access_tokens":[`, `]}]`, name, 8 << 20, [2]int{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTestReader()
			s := &longReport{head: c.head, tail: c.tail, entry: c.entry, of: entries, buf: make([]byte, 0, 256)}
			n, labelled := 0, 0
			want := make([]byte, 0, 64)
			var before, after runtime.MemStats
			check := func(token []byte) error {
				want = name(want[:0], n)
				if !bytes.Equal(token, want[1:len(want)-1]) {
					return fmt.Errorf("token %d is %q", n, token)
				}
				n++
				return nil
			}
			runtime.ReadMemStats(&before)
			var sum AttackSummary
			var err error
			if c.name == "strings" {
				sum, err = r.readAttackList(s, 0, check)
			} else {
				sum, err = r.readAttacks(s, 0, func(h FlaggedToken) error {
					if h.AttackType != "" && h.API != "" {
						labelled++
					}
					return check(h.Token)
				})
			}
			runtime.ReadMemStats(&after)
			if err != nil || sum.Tokens != entries || n != entries {
				t.Fatalf("%+v %v", sum, err)
			}
			got := after.TotalAlloc - before.TotalAlloc
			if got > c.most {
				t.Errorf("%d bytes were allocated for %d entries, want %d at most", got, entries, c.most)
			}
			if min(max(labelled, c.labelled[0]), c.labelled[1]) != labelled {
				t.Errorf("%d have type and API, want %d to %d", labelled, c.labelled[0], c.labelled[1])
			}
			t.Logf("%d bytes for %d entries in %d bytes", got, entries, sum.Bytes)
		})
	}
}

// modelAttackReport reads an attack report or attack list by the rules that abs.Client.AttackList
// and abs.Client.Attacks document, as a tree.
type attackModel struct {
	own                            string
	typed                          bool
	known, named, strange, message bool
	sum                            AttackSummary
}

type modelFlagged struct{ token, attackType, api string }

func modelAttackReport(body []byte, own string, typed bool) (flagged []string, sum AttackSummary, err error) {
	root, err := parseTree(body)
	if err != nil {
		return nil, sum, err
	}
	m := &attackModel{own: own, typed: typed}
	var all []*modelFlagged
	err = modelled(func() {
		switch root := root.(type) {
		case object:
			all = m.object(root, true)
		case []any:
			for _, v := range root {
				all = append(all, m.inside(v, true)...)
			}
		default:
			refuse(true)
		}
		refuse(!m.known && (m.message || m.strange && !m.named))
	})
	for _, h := range all {
		if !typed {
			h.attackType, h.api = "", ""
		}
		flagged = append(flagged, flaggedText(FlaggedToken{Token: []byte(h.token), AttackType: h.attackType, API: h.api}))
	}
	m.sum.Tokens = int64(len(all))
	m.sum.Bytes = int64(len(body))
	return flagged, m.sum, err
}

func (m *attackModel) inside(v any, report bool) (all []*modelFlagged) {
	switch v := v.(type) {
	case nil:
	case object:
		return m.object(v, report)
	case []any:
		m.strange = true
		for _, v := range v {
			all = append(all, m.inside(v, false)...)
		}
	default:
		m.strange = true
	}
	return all
}

func (m *attackModel) object(o object, report bool) (all []*modelFlagged) {
	var here modelFlagged
	for _, f := range o {
		text, _ := f.value.(string)
		switch f.name {
		case "oauth_tokens", "access_tokens":
			m.known = true
			all = append(all, m.list(f.value, here)...)
		case "attack_type", "ioc_type":
			m.known = true
			if text != "" {
				here.attackType = text
			}
		case "api_name":
			if text != "" {
				here.api = text
			}
		case "ips", "cookies", "api_keys", "usernames":
			m.known = true
		case "name":
			m.named = m.named || report
			refuse(report && text != m.own && isKnownReport(text))
		case "message":
			m.message = m.message || report
		default:
			m.strange = true
			all = append(all, m.inside(f.value, false)...)
		}
	}
	for _, h := range all {
		fillLabels(h, here)
	}
	return all
}

func (m *attackModel) list(v any, here modelFlagged) (all []*modelFlagged) {
	if v == nil {
		return nil
	}
	m.sum.Lists++
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, v := range list {
		if h := m.entry(v); h != nil {
			fillLabels(h, here)
			all = append(all, h)
		}
	}
	return all
}

func fillLabels(h *modelFlagged, from modelFlagged) {
	if h.attackType == "" {
		h.attackType = from.attackType
	}
	if h.api == "" {
		h.api = from.api
	}
}

func (m *attackModel) entry(v any) *modelFlagged {
	var h modelFlagged
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		h.token = v
	case object:
		if len(v) == 0 {
			return nil
		}
		for _, f := range v {
			text, _ := f.value.(string)
			switch f.name {
			case "token", "access_token", "oauth_token":
				if h.token == "" {
					h.token = text
				}
			case "attack_type", "ioc_type":
				if text != "" {
					h.attackType = text
				}
			case "api_name":
				if text != "" {
					h.api = text
				}
			}
		}
	}
	if h.token == "" {
		m.sum.Unread++
		return nil
	}
	return &h
}

// FuzzReadAttackReports compares the readers of both attack reports with the model, and with
// themselves on the same body in reads of one byte.
func FuzzReadAttackReports(f *testing.F) {
	addSeeds(f, "testdata/oauthtokens.sample", "testdata/forensics.sample")
	addRefusals(f, refusedAttackReports())
	for _, seed := range []string{
		attacksAcross, attacksOfAPI, attackListGroups,
		`{}`, `[]`, `<html>`, `{"message":"no"}`, `[{"message":"no"}]`, `{"error":1}`, `{"name":"api_admin"}`,
		`{"oauth_tokens":[null,{},"",7,["a"],{"x":1},{"token":null,"access_token":"é\ud83d\ude00"}]}`,
		`{"oauth_tokens":"a","access_tokens":{"oauth_token":"b","attack_type":"B"}}`,
		`{"attacks":[{"access_tokens":["a"],"attack_type":"A","api_name":"y"},{"access_tokens":["b"]}],"attack_type":"B","ioc_type":"C","api_name":"x"}`,
		`[{"x":[[{"access_tokens":[{"access_token":"a","api_name":"z"}],"attack_type":"A"}]]},{"access_tokens":["b"]},3]`,
	} {
		f.Add([]byte(seed))
	}
	r := newTestReader()
	f.Fuzz(func(t *testing.T, body []byte) {
		// Up to this length the waiting tokens stay below maxWaiting.
		short := len(body) <= 3900
		var flagged []string
		add := func(h FlaggedToken) error {
			if !short {
				h.AttackType, h.API = "", ""
			}
			flagged = append(flagged, flaggedText(h))
			return nil
		}
		for _, c := range []struct {
			own  string
			read func(io.Reader) (AttackSummary, error)
		}{
			{nameAttack, func(b io.Reader) (AttackSummary, error) { return r.readAttacks(b, 0, add) }},
			{"", func(b io.Reader) (AttackSummary, error) {
				return r.readAttackList(b, 0, func(token []byte) error { return add(FlaggedToken{Token: token}) })
			}},
		} {
			flagged = nil
			sum, err := c.read(bytes.NewReader(body))
			got := strings.Join(flagged, "\n")
			model, modelSum, modelErr := modelAttackReport(body, c.own, c.own != "" && short)
			if (err == nil) != (modelErr == nil) {
				t.Fatalf("reader: %v, model: %v", err, modelErr)
			}
			var e *Fault
			if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(body))) {
				t.Fatalf("an error of a kind that should not be: %#v", err)
			}
			if err == nil && (sum != modelSum || got != strings.Join(model, "\n")) {
				t.Fatalf("reader\n%q %+v\nmodel\n%q %+v", got, sum, model, modelSum)
			}
			flagged = nil
			again, againErr := c.read(iotest.OneByteReader(bytes.NewReader(body)))
			sum.Bytes, again.Bytes = 0, 0 // less of a refused body is read
			if fmt.Sprint(err) != fmt.Sprint(againErr) || again != sum || strings.Join(flagged, "\n") != got {
				t.Fatalf("byte by byte the report differs: %v, %v", err, againErr)
			}
		}
	})
}
