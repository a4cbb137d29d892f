package reports

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// rowText formats a row as one line.
func rowText(r *Row) string {
	list := func(counts []Count) string {
		var parts []string
		for _, c := range counts {
			parts = append(parts, fmt.Sprintf("%s=%d", c.Key, c.N))
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprintf("%s %d ips%s methods%s apis%s devices%s", r.Token, r.Requests, list(r.IPs), list(r.Methods), list(r.APIs), list(r.Devices))
}

// tokensText reads a report and returns its rows as text, and its summary.
func tokensText(body string) (rows []string, sum Summary, err error) {
	sum, err = newTestReader().readTokens(iotest.HalfReader(strings.NewReader(body)), 0, time.UTC, func(r *Row) error {
		rows = append(rows, rowText(r))
		return nil
	})
	return rows, sum, err
}

const named = `"name":"oauth_token_metrics"`

func TestToleratedTokens(t *testing.T) {
	plain := `ips[1.2.3.4=3] methods[GET=2 PUT=1] apis[shop=3] devices[LINUX=3]`
	for name, c := range map[string]struct {
		body string
		rows []string
	}{
		"details before summary and name": {
			`{"details":[{"token":"a","total_requests":1}],"summary":{"total_requests":1,"tokens":1},"name":"oauth_token_metrics"}`,
			[]string{"a 1 ips[] methods[] apis[] devices[]"},
		},
		"token after ip_list, members of an address in any order": {
			`{` + named + `,"details":[{"ip_list":[{"apis":{"shop":3},"methods":{"GET":2,"PUT":1},"total_requests":3,"urls":{"/":3},"devices":{"LINUX":3},"ip":"1.2.3.4"}],"total_requests":3,"token":"a"}]}`,
			[]string{"a 3 " + plain},
		},
		"unknown members at every level": {
			`{"x":{"y":[1,-2.5e+3,0.1E-2,true,false,null,"\u00e9\"",{"":{}}]},` + named + `,"summary":{"z":[],"tokens":1},"details":[{"q":[[[]]],"token":"a","r":"s","total_requests":3,"ip_list":[{"t":{"total_requests":9},"ip":"1.2.3.4","total_requests":3,"methods":{"GET":2,"PUT":1},"apis":{"shop":3},"devices":{"LINUX":3}}]}],"token":"no row"}`,
			[]string{"a 3 " + plain},
		},
		"missing maps": {
			`{` + named + `,"details":[{"token":"a","total_requests":3,"ip_list":[{"ip":"1.2.3.4","total_requests":3}]}]}`,
			[]string{"a 3 ips[1.2.3.4=3] methods[] apis[] devices[]"},
		},
		"null maps and ip": {
			`{` + named + `,"details":[{"token":"a","total_requests":3,"ip_list":[{"ip":null,"total_requests":3,"methods":null,"apis":null,"devices":null,"urls":null}]}]}`,
			[]string{"a 3 ips[=3] methods[] apis[] devices[]"},
		},
		"an address without total_requests": {
			`{` + named + `,"details":[{"token":"a","total_requests":3,"ip_list":[{"ip":"1.2.3.4"},{}]}]}`,
			[]string{"a 3 ips[1.2.3.4=0] methods[] apis[] devices[]"},
		},
		"null ip_list":    {`{` + named + `,"details":[{"token":"a","total_requests":3,"ip_list":null}]}`, []string{"a 3 ips[] methods[] apis[] devices[]"}},
		"empty ip_list":   {`{` + named + `,"details":[{"token":"a","total_requests":3,"ip_list":[]}]}`, []string{"a 3 ips[] methods[] apis[] devices[]"}},
		"null details":    {`{` + named + `,"details":null}`, nil},
		"empty details":   {`{` + named + `,"details":[]}`, nil},
		"missing details": {`{` + named + `}`, nil},
		"null summary":    {`{` + named + `,"summary":null,"details":[]}`, nil},
		"a token twice": {
			`{` + named + `,"details":[{"token":"a","total_requests":1},{"token":"a","total_requests":2}]}`,
			[]string{"a 1 ips[] methods[] apis[] devices[]", "a 2 ips[] methods[] apis[] devices[]"},
		},
		"a key in two addresses": {
			`{` + named + `,"details":[{"token":"a","total_requests":3,"ip_list":[{"ip":"x","methods":{"GET":1}},{"ip":"y","methods":{"GET":2}}]}]}`,
			[]string{"a 3 ips[x=0 y=0] methods[GET=1 GET=2] apis[] devices[]"},
		},
		"the largest count": {
			`{` + named + `,"details":[{"token":"a","total_requests":9007199254740992}]}`,
			[]string{"a 9007199254740992 ips[] methods[] apis[] devices[]"},
		},
		"escapes": {
			`{"n\u0061me":"oauth\u005ftoken_metrics","details":[{"token":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","total_requests":1}]}`,
			[]string{"\"\\/\b\f\n\r\té😀 1 ips[] methods[] apis[] devices[]"},
		},
		"half a surrogate pair": {
			`{` + named + `,"details":[{"token":"\ud83dx\ude00\ud83d\u0041\ud83d\ud83d\ude00\ud83d\n","total_requests":1}]}`,
			[]string{"\ufffdx\ufffd\ufffdA\ufffd😀\ufffd\n 1 ips[] methods[] apis[] devices[]"},
		},
		"raw control characters": {
			"{" + named + ",\"a\nb\":\"c\x01\r\n\td\",\"details\":[{\"token\":\"a\n\x00b\",\"total_requests\":1,\"ip_list\":[{\"urls\":{\"/\x00\n\":1},\"apis\":{\"x\ny\":1}}]}]}",
			[]string{"a\n\x00b 1 ips[] methods[] apis[x\ny=1] devices[]"},
		},
		"bytes that are not UTF-8": {
			"{" + named + ",\"details\":[{\"token\":\"a\xffb\xe2\x82\",\"total_requests\":1,\"ip_list\":[{\"ip\":\"é世\xf0\x9f\x98\x80\",\"urls\":{\"\xff\":1}}]}]}",
			[]string{"a\ufffdb\ufffd\ufffd 1 ips[é世😀=0] methods[] apis[] devices[]"},
		},
		"white space everywhere": {
			" \r\n\t{ \"name\" \t:\n\"oauth_token_metrics\" , \"details\" : [ { \"token\" : \"a\" , \"total_requests\" : 1 , \"ip_list\" : [ { \"urls\" : { \"/\" : 1 , \"/x\" : 2 } , \"apis\" : { } } , { \"urls\" : { } } ] } ] } \n\n",
			[]string{"a 1 ips[] methods[] apis[] devices[]"},
		},
		"nesting at the bound": {
			`{` + named + `,"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, nil,
		},
		"a kept string at the bound": {
			`{` + named + `,"details":[{"token":"` + strings.Repeat("t", jsonscan.MaxString) + `","total_requests":1}]}`,
			[]string{strings.Repeat("t", jsonscan.MaxString) + " 1 ips[] methods[] apis[] devices[]"},
		},
		"a skipped string past it": {`{` + named + `,"x":"` + strings.Repeat("t", 3*jsonscan.MaxString) + `"}`, nil},
		"dates of another kind":    {`{` + named + `,"earlier_date":17,"later_date":{"a":[]}}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rows, _, err := tokensText(c.body)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.Join(rows, "\n"), strings.Join(c.rows, "\n"); got != want {
				t.Errorf("rows\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	for body, want := range map[string]Summary{
		`{` + named + `}`: {},
		`{` + named + `,"summary":{"tokens":2,"total_requests":3}}`:       {Tokens: 2, Requests: 3, HasSummary: true},
		`{` + named + `,"summary":{"total_requests":3}}`:                  {Requests: 3},
		`{` + named + `,"summary":{}}`:                                    {},
		`{` + named + `,"earlier_date":"Sat Jan 04 16:09:59:935 2018"}`:   {Earlier: time.Date(2018, 1, 4, 16, 9, 59, 935e6, time.UTC)},
		`{` + named + `,"later_date":"soon","details":[],"summary":null}`: {},
	} {
		_, sum, err := tokensText(body)
		want.Bytes = int64(len(body))
		if err != nil || sum != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", body, sum, err, want)
		}
	}
}

func TestToleratedForensics(t *testing.T) {
	const named = `{"name":"api_abs_token","summary":{"total_requests":1,"total_attacks":0,"total_anomalies":0},"details":`
	for details, want := range map[string]string{
		`null`: "[] [] ",
		`{}`:   "[] [] ",
		`{"attack_types":[],"anomaly_types":null,"metrics":null}`:                                 "[] [] ",
		`{"attack_types":{},"metrics":{}}`:                                                        "[] [] ",
		`{"attack_types":{"A":["all"]},"anomaly_types":{"B":"shop"}}`:                             "[{A [all]}] [{B [shop]}] ",
		`{"attack_types":{"A":null,"B":[]}}`:                                                      "[{A []} {B []}] [] ",
		`{"attack_types":{"A":["x","y","x"],"B":["z"],"A":["y","q"]}}`:                            "[{A [x y q]} {B [z]}] [] ",
		`{"attack_types":{"Stolen \"T\"\nAttack-":["é"]}}`:                                        "[{Stolen \"T\"\nAttack- [é]}] [] ",
		`{"x":[{}],"metrics":{"ip_list":[{"methods":{"GET":1}}],"total_requests":1,"token":"t"}}`: "[] [] t",
		`{"metrics":{"token":"t"}}`:                                                               "[] [] t",
	} {
		f, err := newTestReader().readForensics(strings.NewReader(named+details+"}"), 0, time.UTC)
		if err != nil {
			t.Errorf("%s: %v", details, err)
			continue
		}
		if got := fmt.Sprintf("%v %v %s", f.AttackTypes, f.AnomalyTypes, f.Metrics.Token); got != want {
			t.Errorf("%s\n got %q\nwant %q", details, got, want)
		}
	}
}

func TestParseDate(t *testing.T) {
	kolkata := time.FixedZone("IST", 5*3600+1800)
	for text, want := range map[string]time.Time{
		"Tue Feb 13 18:00:00:000 2018":  time.Date(2018, 2, 13, 18, 0, 0, 0, kolkata),
		"Tue Jun 04 16:09:59:935 2019":  time.Date(2019, 6, 4, 16, 9, 59, 935e6, kolkata),
		"Mon Jan 17 00:00:00:5 2018":    time.Date(2018, 1, 17, 0, 0, 0, 5e6, kolkata), // a Wednesday
		"Xyz Jan 7 00:00:01 2018":       time.Date(2018, 1, 7, 0, 0, 1, 0, kolkata),
		"":                              {},
		"Tue Feb 30 18:00:00:000 2018":  {},
		"Tue Feb 13 25:00:00:000 2018":  {},
		"Tue Feb 13 18:00:00:-01 2018":  {},
		"Tue Feb 13 18:00:00:1000 2018": {},
		"Sun Jan 10 00:00:00 UTC 2021":  {},
		"2018-02-13T18:00":              {},
		"a b c d e":                     {},
	} {
		if got := parseDate([]byte(text), kolkata); !got.Equal(want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// Counters of other programs underflow to 2^64-1, are quoted, or are NaN, which is not JSON.
func TestCountsOfOtherPrograms(t *testing.T) {
	for count, want := range map[string]string{
		"18446744073709551615":      "abs: oauthtokens: the count is past 2^53",
		"1.8446744073709552e+19":    "abs: oauthtokens: the count is past 2^53",
		`"30"`:                      "abs: oauthtokens: the count is not a number",
		`{"$numberLong":"30"}`:      "abs: oauthtokens: the count is not a number",
		"420465847726953420465.8e5": "abs: oauthtokens: the count is past 2^53",
	} {
		rows, sum, err := tokensText(inRow(`{"token":"a","total_requests":` + count + `},{"token":"b","total_requests":3}`))
		if err != nil || len(rows) != 1 || sum.Skipped.Count != 1 || !strings.HasPrefix(sum.Skipped.First.Error(), want) {
			t.Errorf("%s: %v %+v %v", count, rows, sum, err)
		}
	}
	_, _, err := tokensText(inRow(`{"token":"a","total_requests":NaN}`))
	if want := "abs: oauthtokens: a value expected (details[0].total_requests, byte 71)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
