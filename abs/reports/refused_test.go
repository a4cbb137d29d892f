package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// canary is in bodies where a token or a key may be; no error may contain it.
const canary = "cAnArY"

// refusal is a body that must be refused, and the full text of the error.
type refusal struct{ body, want string }

// addRefusals makes the refused bodies seeds of a fuzz target, except the huge ones.
func addRefusals(f *testing.F, refusals []refusal) {
	for _, c := range refusals {
		if len(c.body) <= 4<<10 {
			f.Add([]byte(c.body))
		}
	}
}

// inRow returns a report of one row with the given text.
func inRow(s string) string { return `{` + named + `,"details":[` + s + `]}` }

// inAddress returns a report whose second row has an address with the given text.
func inAddress(s string) string {
	return inRow(`{"token":"cAnArY","total_requests":1},{"token":"cAnArY","total_requests":1,"ip_list":[{},{` + s + `}]}`)
}

func refusedTokens() []refusal {
	return []refusal{
		{``, "abs: oauthtokens: the body is empty (byte 0)"},
		{" \n", "abs: oauthtokens: the body has nothing but white space (byte 2)"},
		{`<html>cAnArY</html>`, "abs: oauthtokens: the answer is a web page (HTML or XML), not a report (byte 0)"},
		{`[]`, "abs: oauthtokens: the answer is an array, not a report (byte 0)"},
		{`cAnArY`, "abs: oauthtokens: the answer is not JSON (byte 0)"},
		{`"cAnArY"`, "abs: oauthtokens: the answer is not JSON (byte 0)"},
		{"\x00", "abs: oauthtokens: the answer is not JSON (byte 0)"},
		{`{}`, "abs: oauthtokens: the answer does not say which report it is (name, byte 2)"},
		{`{"message":"no cAnArY","date":"05September2016"}`, "abs: oauthtokens: ABS answered with a message instead of a report (byte 48)"},
		{`{"summary":{"tokens":1,"total_requests":1},"details":[]}`, "abs: oauthtokens: the answer does not say which report it is (name, byte 56)"},
		{`{"name":"api_abs_token"}`, "abs: oauthtokens: this is the report api_abs_token, not oauth_token_metrics (name, byte 8)"},
		{`{"name":"cAnArY"}`, "abs: oauthtokens: this is another report than oauth_token_metrics (name, byte 8)"},
		{`{"name":""}`, "abs: oauthtokens: this is another report than oauth_token_metrics (name, byte 8)"},
		{`{"name":"api_abs_token api_key_metrics"}`, "abs: oauthtokens: this is another report than oauth_token_metrics (name, byte 8)"},
		{`{"name":null}`, "abs: oauthtokens: a string expected (name, byte 8)"},
		{`{"details":[{"token":"cAnArY","total_requests":1}],"name":"username_metrics"}`, "abs: oauthtokens: this is the report username_metrics, not oauth_token_metrics (name, byte 58)"},
		{`{` + named + `} cAnArY`, "abs: oauthtokens: something follows the report (byte 31)"},
		{`{` + named + `}{}`, "abs: oauthtokens: something follows the report (byte 30)"},
		{`{` + named + `,}`, "abs: oauthtokens: a member's name expected (byte 30)"},
		{`{` + named + ` "x":1}`, "abs: oauthtokens: a comma or the object's end expected (byte 30)"},
		{`{` + named + `,"x" 1}`, "abs: oauthtokens: a colon expected (byte 34)"},
		{`{` + named + `,x:1}`, "abs: oauthtokens: a member's name expected (byte 30)"},
		{`{` + named + `,"x":cAnArY}`, "abs: oauthtokens: a value expected (byte 34)"},
		{`{` + named + `,"x":nul}`, "abs: oauthtokens: a value expected (byte 34)"},
		{`{` + named + `,"x":01}`, "abs: oauthtokens: a comma or the object's end expected (byte 35)"},
		{`{` + named + `,"x":-}`, "abs: oauthtokens: a digit expected (byte 35)"},
		{`{` + named + `,"x":1.}`, "abs: oauthtokens: a digit expected (byte 36)"},
		{`{` + named + `,"x":1e}`, "abs: oauthtokens: a digit expected (byte 36)"},
		{`{` + named + `,"x":[1,]}`, "abs: oauthtokens: a value expected (byte 37)"},
		{`{` + named + `,"x":[1 2]}`, "abs: oauthtokens: a comma or the array's end expected (byte 37)"},
		{`{` + named + `,"x":{"a":1,}}`, "abs: oauthtokens: a member's name expected (byte 41)"},
		{`{` + named + `,"x":{"a" 1}}`, "abs: oauthtokens: a colon expected (byte 39)"},
		{`{` + named + `,"x":{"a":1 "b":2}}`, "abs: oauthtokens: a comma or the object's end expected (byte 41)"},
		{`{` + named + `,"x":"\q"}`, "abs: oauthtokens: a backslash stands before a character that it cannot escape (byte 35)"},
		{`{` + named + `,"x":"\u12g4"}`, `abs: oauthtokens: \u needs four hexadecimal digits (byte 39)`},
		{`{` + named + `,"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`, "abs: oauthtokens: values are nested deeper than 64 (byte 97)"},
		{`{` + named + `,"x":` + strings.Repeat(`{"":`, 64) + `1` + strings.Repeat("}", 64) + `}`, "abs: oauthtokens: values are nested deeper than 64 (byte 286)"},
		{`{` + named + `,"x":` + strings.Repeat("[", 1_000_000), "abs: oauthtokens: values are nested deeper than 64 (byte 97)"},
		{`{` + named + `,` + named + `}`, "abs: oauthtokens: the member comes twice (name, byte 37)"},
		{`{` + named + `,"details":[],"details":[]}`, "abs: oauthtokens: the member comes twice (details, byte 53)"},
		{`{` + named + `,"details":{}}`, "abs: oauthtokens: an array expected (details, byte 40)"},
		{`{` + named + `,"summary":[]}`, "abs: oauthtokens: an object expected (summary, byte 40)"},
		{`{` + named + `,"summary":{"tokens":-1}}`, "abs: oauthtokens: the count is negative (summary.tokens, byte 50)"},
		{`{` + named + `,"summary":{"tokens":null}}`, "abs: oauthtokens: the count is not a number (summary.tokens, byte 50)"},
		{`{` + named + `,"summary":{"tokens":1,"tokens":1}}`, "abs: oauthtokens: the member comes twice (summary.tokens, byte 61)"},
		{`{` + named + `,"summary":{"cAnArY":[}}`, "abs: oauthtokens: a value expected (summary, byte 51)"},
		{`{` + named + `,"details":[{"token":"cAnArY","total_requests":1}`, "abs: oauthtokens: the body ends early (details[0], byte 78)"},
		{`{` + named + `,"details":[{"token":"cAnArY`, "abs: oauthtokens: the body ends early (details[0].token, byte 57)"},
		{inRow(`{"token":"a","total_requests":01}`), "abs: oauthtokens: a number has a leading zero (details[0].total_requests, byte 72)"},
		{inRow(`{"token":"a","total_requests":9007199254740992},{"token":"b","total_requests":1}`), "abs: oauthtokens: the rows add up to more than 2^53 (details[1].total_requests, byte 121)"},
		{
			inRow(`{"token":"a","total_requests":1,"ip_list":[{"methods":{"GET":9007199254740992}}]},{"token":"b","total_requests":1,"ip_list":[{"methods":{"GET":1}}]}`),
			"abs: oauthtokens: the counts of the rows add up to more than 2^53 (details[1].ip_list, byte 189)",
		},
		{inRow(`{"token":"a","total_requests":1,"ip_list":[{}}]`), "abs: oauthtokens: a comma or the array's end expected (details[0].ip_list[0], byte 86)"},
		{inAddress(`"methods":{"cAnArY":1 2}`), "abs: oauthtokens: a comma or the object's end expected (details[1].ip_list[1].methods, byte 153)"},
		{inAddress(`"urls":{"/cAnArY" 1}`), "abs: oauthtokens: a colon expected (details[1].ip_list[1].urls, byte 149)"},
		{inAddress(`"urls":{"/cAnArY":1,}`), "abs: oauthtokens: a member's name expected (details[1].ip_list[1].urls, byte 151)"},
		{inAddress(`"urls":{"/cAnArY":1 "x":1}`), "abs: oauthtokens: a comma or the object's end expected (details[1].ip_list[1].urls, byte 151)"},
		{inAddress(`"urls":{"\cAnArY":1}`), "abs: oauthtokens: a backslash stands before a character that it cannot escape (details[1].ip_list[1].urls, byte 140)"},
	}
}

// skippedRow is a report with one bad row, what is said of it, and the reason.
type skippedRow struct {
	body, want string
	reason     SkipReason
}

func skippedRows() []skippedRow {
	return []skippedRow{
		{`{` + named + `,"details":[1]}`, "abs: oauthtokens: an object expected (details[0], byte 41)", SkipShape},
		{`{` + named + `,"details":[null]}`, "abs: oauthtokens: an object expected (details[0], byte 41)", SkipShape},
		{inRow(`{"token":"cAnArY"}`), "abs: oauthtokens: the row has no total_requests (details[0].total_requests, byte 41)", SkipCount},
		{inRow(`{"token":"cAnArY","total_requests":1},{"total_requests":1}`), "abs: oauthtokens: the row has no token (details[1].token, byte 79)", SkipToken},
		{inRow(`{}`), "abs: oauthtokens: the row has no token (details[0].token, byte 41)", SkipToken},
		{inRow(`{"token":"","total_requests":1}`), "abs: oauthtokens: the row's token is empty (details[0].token, byte 41)", SkipToken},
		{inRow(`{"token":null,"total_requests":1}`), "abs: oauthtokens: a string expected (details[0].token, byte 50)", SkipToken},
		{inRow(`{"token":7,"total_requests":1}`), "abs: oauthtokens: a string expected (details[0].token, byte 50)", SkipToken},
		{inRow(`{"token":"a","token":"cAnArY","total_requests":1}`), "abs: oauthtokens: the member comes twice (details[0].token, byte 62)", SkipShape},
		{inRow(`{"token":"a","total_requests":1,"total_requests":1}`), "abs: oauthtokens: the member comes twice (details[0].total_requests, byte 90)", SkipShape},
		{inRow(`{"token":"a","total_requests":1,"ip_list":[],"ip_list":[]}`), "abs: oauthtokens: the member comes twice (details[0].ip_list, byte 96)", SkipShape},
		{inRow(`{"token":"a","total_requests":-1}`), "abs: oauthtokens: the count is negative (details[0].total_requests, byte 71)", SkipCount},
		{inRow(`{"token":"a","total_requests":"1"}`), "abs: oauthtokens: the count is not a number (details[0].total_requests, byte 71)", SkipCount},
		{inRow(`{"token":"a","total_requests":null}`), "abs: oauthtokens: the count is not a number (details[0].total_requests, byte 71)", SkipCount},
		{inRow(`{"token":"a","total_requests":true}`), "abs: oauthtokens: the count is not a number (details[0].total_requests, byte 71)", SkipCount},
		{inRow(`{"token":"a","total_requests":9007199254740993}`), "abs: oauthtokens: the count is past 2^53 (details[0].total_requests, byte 71)", SkipCount},
		{inRow(`{"token":"a","total_requests":` + strings.Repeat("9", 400) + `}`), "abs: oauthtokens: the count is past 2^53 (details[0].total_requests, byte 71)", SkipCount},
		{inRow(`{"token":"a","total_requests":1,"ip_list":{}}`), "abs: oauthtokens: an array expected (details[0].ip_list, byte 83)", SkipShape},
		{inRow(`{"token":"a","total_requests":1,"ip_list":["cAnArY"]}`), "abs: oauthtokens: an object expected (details[0].ip_list[0], byte 84)", SkipShape},
		{inRow(`{"token":"` + strings.Repeat("t", jsonscan.MaxString+1) + `","total_requests":1}`), "abs: oauthtokens: a string is longer than 1 MiB (details[0].token, byte 50)", SkipToken},
		{inRow(`{"token":"` + strings.Repeat(`\n`, jsonscan.MaxString+1) + `","total_requests":1}`), "abs: oauthtokens: a string is longer than 1 MiB (details[0].token, byte 50)", SkipToken},
		{inAddress(`"ip":1`), "abs: oauthtokens: a string expected (details[1].ip_list[1].ip, byte 136)", SkipShape},
		{inAddress(`"total_requests":null`), "abs: oauthtokens: the count is not a number (details[1].ip_list[1].total_requests, byte 148)", SkipCount},
		{inAddress(`"methods":[]`), "abs: oauthtokens: an object expected (details[1].ip_list[1].methods, byte 141)", SkipShape},
		{inAddress(`"methods":{"cAnArY":-1}`), "abs: oauthtokens: the count is negative (details[1].ip_list[1].methods, byte 151)", SkipCount},
		{inAddress(`"methods":{"cAnArY":1.5}`), "abs: oauthtokens: the count has a fraction (details[1].ip_list[1].methods, byte 151)", SkipCount},
		{inAddress(`"methods":{"cAnArY":null}`), "abs: oauthtokens: the count is not a number (details[1].ip_list[1].methods, byte 151)", SkipCount},
		{inAddress(`"methods":{"a":1},"methods":{"cAnArY":1}`), "abs: oauthtokens: the member comes twice (details[1].ip_list[1].methods, byte 159)", SkipShape},
		{inAddress(`"apis":{"cAnArY":9007199254740993}`), "abs: oauthtokens: the count is past 2^53 (details[1].ip_list[1].apis, byte 148)", SkipCount},
		{inAddress(`"devices":{"a":9007199254740992,"cAnArY":1}`), "abs: oauthtokens: the counts of the row add up to more than 2^53 (details[1].ip_list[1].devices, byte 173)", SkipCount},
		{inAddress(`"apis":{"a":9007199254740992}},{"apis":{"cAnArY":1}`), "abs: oauthtokens: the counts of the row add up to more than 2^53 (details[1].ip_list[2].apis, byte 181)", SkipCount},
		{inAddress(`"total_requests":9007199254740992},{"total_requests":1`), "abs: oauthtokens: the counts of the row add up to more than 2^53 (details[1].ip_list[2], byte 186)", SkipCount},
	}
}

func TestRefusedTokens(t *testing.T) {
	for _, c := range refusedTokens() {
		_, _, err := tokensText(c.body)
		short := c.body
		if len(short) > 120 {
			short = short[:120] + "…"
		}
		var e *Fault
		if !errors.As(err, &e) || e.TooLong || e.Report != "oauthtokens" {
			t.Errorf("%s: not refused as it should be: %#v", short, err)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", short, got, c.want)
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error repeats what may be a token: %s", short, err)
		}
	}
}

// One row that cannot be read says nothing of the others.
func TestSkippedRows(t *testing.T) {
	for _, c := range skippedRows() {
		body := strings.TrimSuffix(c.body, "]}") + `,{"token":"cAnArY-z","total_requests":5}],"summary":{"tokens":9,"total_requests":9}}`
		rows, sum, err := tokensText(body)
		short := c.body[:min(len(c.body), 120)]
		want := map[SkipReason]int64{c.reason: 1}
		if err != nil || len(rows) == 0 || rows[len(rows)-1] != "cAnArY-z 5 ips[] methods[] apis[] devices[]" || sum.Rows != int64(len(rows)) ||
			sum.Skipped.Rows() != 1 || sum.Skipped.Token != want[SkipToken] || sum.Skipped.Count != want[SkipCount] || sum.Skipped.Shape != want[SkipShape] {
			t.Errorf("%s: %v %+v %v, want reason %s", short, rows, sum, err, c.reason)
			continue
		}
		if got := sum.Skipped.First.Error(); got != c.want || strings.Contains(got, canary) {
			t.Errorf("%s\n got %s\nwant %s", short, got, c.want)
		}
	}
}

// What skipped rows report is known, unless their count cannot be read.
func TestSkippedRequests(t *testing.T) {
	for rows, want := range map[string]Skipped{
		`{"token":null,"total_requests":7},{"token":"","total_requests":2.0},{"total_requests":1}`: {Token: 3, Requests: 10},
		`{"token":null,"total_requests":-7},{"token":"","total_requests":1.5},{}`:                  {Token: 2, Count: 1, Unknown: 3},
		`{"token":"a","total_requests":-7},{"token":"b"},null`:                                     {Count: 2, Shape: 1, Unknown: 3},
		`{"token":"a","total_requests":4,"ip_list":7}`:                                             {Shape: 1, Requests: 4, Unknown: 1},
		`{"token":null,"total_requests":9007199254740992},{"token":null,"total_requests":1}`:       {Token: 2, Requests: 9007199254740992},
	} {
		_, sum, err := tokensText(`{` + named + `,"details":[` + rows + `]}`)
		sum.Skipped.First = nil
		if err != nil || sum.Skipped != want || sum.Rows != 0 || sum.RowRequests != 0 {
			t.Errorf("%s\n got %+v (%v)\nwant %+v", rows, sum, err, want)
		}
	}
}

// More than ten bad rows that are more than one in ten are no accident.
func TestManyBadRows(t *testing.T) {
	for _, c := range []struct {
		bad, good int
		fails     bool
	}{{1, 0, false}, {10, 0, false}, {10, 5, false}, {11, 0, true}, {11, 98, true}, {11, 99, false}, {12, 99, true}, {100, 900, false}, {101, 900, true}} {
		rows := append(slices.Repeat([]string{`{"token":"a","total_requests":1}`}, c.good), slices.Repeat([]string{`{"token":null,"total_requests":1}`}, c.bad)...)
		_, sum, err := tokensText(`{` + named + `,"details":[` + strings.Join(rows, ",") + `]}`)
		if c.fails != (err != nil) || err == nil && (sum.Rows != int64(c.good) || sum.Skipped.Rows() != int64(c.bad)) {
			t.Errorf("%d bad rows of %d: %+v, %v", c.bad, c.bad+c.good, sum, err)
		}
		if err != nil && (!errors.As(err, new(*Fault)) || !strings.HasPrefix(err.Error(), fmt.Sprintf("abs: oauthtokens: %d of %d rows cannot be read, the first because a string expected (details[%d].token, byte ", c.bad, c.bad+c.good, c.good))) {
			t.Error(err)
		}
	}
}

// Bad metrics of a forensics report take nothing from its findings.
func TestSkippedMetrics(t *testing.T) {
	for metrics, want := range map[string]string{
		`[]`: "abs: forensics: an object expected (details.metrics, byte 45)",
		`{"token":"cAnArY","ip_list":[{"methods":{"cAnArY":-1}}]}`: "abs: forensics: the count is negative (details.metrics.ip_list[0].methods, byte 95)",
		`{"total_requests":0.5}`:                                   "abs: forensics: the count has a fraction (details.metrics.total_requests, byte 63)",
	} {
		body := `{"name":"api_abs_token","details":{"metrics":` + metrics + `,"attack_types":{"A":["x"]}}}`
		f, err := newTestReader().readForensics(iotest.OneByteReader(strings.NewReader(body)), 0, time.UTC)
		if err != nil || len(f.AttackTypes) != 1 || f.Skipped.Rows() != 1 || f.Skipped.First.Error() != want || rowText(&f.Metrics) != rowText(&Row{}) {
			t.Errorf("%s: %+v, %v; want %s", metrics, f, err, want)
		}
	}
}

func refusedForensics() []refusal {
	details := func(s string) string { return `{"name":"api_abs_token","details":{` + s + `}}` }
	return []refusal{
		{`{"name":"oauth_token_metrics","details":[]}`, "abs: forensics: this is the report oauth_token_metrics, not api_abs_token (name, byte 8)"},
		{`{"message":"cAnArY"}`, "abs: forensics: ABS answered with a message instead of a report (byte 20)"},
		{`{"name":"api_abs_token","details":[]}`, "abs: forensics: an object expected (details, byte 34)"},
		{`{"name":"api_abs_token","summary":{"total_attacks":-2}}`, "abs: forensics: the count is negative (summary.total_attacks, byte 51)"},
		{`{"name":"api_abs_token","summary":{"total_attacks":2,"total_attacks":2}}`, "abs: forensics: the member comes twice (summary.total_attacks, byte 69)"},
		{details(`"attack_types":["cAnArY"]`), "abs: forensics: attack types as an array without APIs are not known (details.attack_types, byte 51)"},
		{details(`"attack_types":"cAnArY"`), "abs: forensics: an object expected (details.attack_types, byte 50)"},
		{details(`"attack_types":{"cAnArY":[1]}`), "abs: forensics: an API's name expected (details.attack_types, byte 61)"},
		{details(`"attack_types":{"cAnArY":7}`), "abs: forensics: an API's name expected (details.attack_types, byte 60)"},
		{details(`"attack_types":{"cAnArY":["x"}`), "abs: forensics: a comma or the array's end expected (details.attack_types, byte 64)"},
		{details(`"attack_types":{},"attack_types":{}`), "abs: forensics: the member comes twice (details.attack_types, byte 68)"},
		{`{"name":"api_abs_token","details":{"attack_types":{"cAnArY":["x"`, "abs: forensics: the body ends early (details.attack_types, byte 64)"},
	}
}

func TestRefusedForensics(t *testing.T) {
	for _, c := range refusedForensics() {
		_, err := newTestReader().readForensics(iotest.OneByteReader(strings.NewReader(c.body)), 0, time.UTC)
		var e *Fault
		if !errors.As(err, &e) || e.TooLong || e.Report != "forensics" {
			t.Errorf("%s: not refused as it should be: %#v", c.body, err)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.body, got, c.want)
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error repeats what may be a token: %s", c.body, err)
		}
	}
}

// The limit is for the full body, what is skipped included.
func TestLimit(t *testing.T) {
	body := []byte(`{` + named + `,"x":"` + strings.Repeat("x", 200_000) + `"}` + strings.Repeat(" ", 100))
	for limit, fits := range map[int64]bool{int64(len(body)): true, int64(len(body)) - 1: false, 70_000: false, 10: false} {
		sum, err := newTestReader().readTokens(bytes.NewReader(body), limit, time.UTC, func(*Row) error { return nil })
		if fits {
			if err != nil || sum.Bytes != limit {
				t.Errorf("limit %d: %v, %d bytes", limit, err, sum.Bytes)
			}
			continue
		}
		if e := (*Fault)(nil); !errors.As(err, &e) || !e.TooLong {
			t.Errorf("limit %d: %v", limit, err)
		}
		if sum.Bytes > limit+1 {
			t.Errorf("limit %d: %d bytes were read", limit, sum.Bytes)
		}
	}
	const want = "abs: oauthtokens: the body is longer than 10 bytes, twice the response cap (byte 10)"
	if _, err := newTestReader().readTokens(bytes.NewReader(body), 10, time.UTC, nil); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestRowsErrorStopsTheReading(t *testing.T) {
	stop := errors.New("stop")
	rows := 0
	body := generateTokens(500, 5)
	sum, err := newTestReader().readTokens(bytes.NewReader(body), 0, time.UTC, func(*Row) error {
		if rows++; rows == 3 {
			return stop
		}
		return nil
	})
	if err != stop || rows != 3 || sum.Rows != 0 || sum.Bytes >= int64(len(body)) { //nolint:errorlint // the very one
		t.Errorf("%v after %d rows, %+v", err, rows, sum)
	}
}

// An error of the stream is not an error in the body.
func TestStreamErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		end       error
		truncated bool
	}{{io.EOF, true}, {io.ErrUnexpectedEOF, true}, {broken, false}} {
		for _, body := range []string{``, `{`, `{` + named + `,"details":[{"token":"a"`, `{` + named + `,"x":"`, `{` + named + `,"x":1`} {
			_, err := newTestReader().readTokens(io.MultiReader(strings.NewReader(body), iotest.ErrReader(c.end)), 0, time.UTC, nil)
			var e *Fault
			if errors.As(err, &e) != c.truncated || c.truncated && e.Truncated != (body != "") || !c.truncated && err != c.end { //nolint:errorlint // the very one
				t.Errorf("%q that ends with %v: %v", body, c.end, err)
			}
		}
	}
	// A complete document is not enough if the stream says that it is incomplete.
	_, err := newTestReader().readTokens(io.MultiReader(strings.NewReader(`{`+named+`}`), iotest.ErrReader(io.ErrUnexpectedEOF)), 0, time.UTC, nil)
	var e *Fault
	if !errors.As(err, &e) || !e.Truncated {
		t.Errorf("a body that the transport says is cut: %v", err)
	}
	// An io.Reader that never makes progress does not hang the scanner.
	if _, err := newTestReader().readTokens(stuck{}, 0, time.UTC, nil); err != io.ErrNoProgress { //nolint:errorlint // the very one
		t.Errorf("a reader that returns nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
