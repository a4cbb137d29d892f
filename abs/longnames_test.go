package abs

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// answering returns a client whose ABS answers everything with a body.
func answering(t *testing.T, body func() io.Reader) *Client {
	t.Helper()
	c := config("https://abs.example.com")
	c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body()), ProtoMajor: 1, ProtoMinor: 1}, nil
	})
	return mustClient(t, c)
}

// A text of 10 MB, wherever a report has one: as a member's name, a key of a map, a value, or a
// number. A value that is not kept is skipped, a row with such a value is left out; any name that
// long refuses the report. Memory stays small.
func TestLongTexts(t *testing.T) {
	const size = 10 << 20
	requests := map[string]func(c *Client) (rows int, err error){
		ReportTokens: func(c *Client) (rows int, err error) {
			_, err = c.Tokens(t.Context(), hour, func(*Row) error { rows++; return nil })
			return rows, err
		},
		ReportForensics: func(c *Client) (int, error) {
			f, err := c.Forensics(t.Context(), hour, []byte("t"))
			return len(f.AttackTypes), err
		},
		ReportAttackList: func(c *Client) (rows int, err error) {
			_, err = c.AttackList(t.Context(), hour, func([]byte) error { rows++; return nil })
			return rows, err
		},
		ReportAttack: func(c *Client) (rows int, err error) {
			_, err = c.Attacks(t.Context(), hour, "", func(FlaggedToken) error { rows++; return nil })
			return rows, err
		},
		ReportAdmin: func(c *Client) (int, error) {
			r, err := c.Admin(t.Context())
			return len(r.APIs), err
		},
	}
	const good = `{"token":"t","total_requests":1}`
	for _, c := range []struct {
		report, body string // LONG stands for the text
		rows         int
		want         Reason
	}{
		{ReportTokens, `{"LONG":1,` + named + `,"details":[` + good + `]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"company":"LONG","details":[` + good + `]}`, 1, ""},
		{ReportTokens, `{"name":"LONG","details":[` + good + `]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"earlier_date":"LONG","details":[` + good + `]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"summary":{"LONG":{}},"details":[` + good + `]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"LONG","total_requests":1}]}`, 1, ""},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"LONG":"x","token":"u","total_requests":1}]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"u","total_requests":9LONG}]}`, 1, ""},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"u","total_requests":1,"ip_list":[{"ip":"LONG"}]}]}`, 1, ""},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"u","total_requests":1,"ip_list":[{"methods":{"LONG":1}}]}]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"u","total_requests":1,"ip_list":[{"apis":{"LONG":1}}]}]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"u","total_requests":1,"ip_list":[{"devices":{"LONG":1}}]}]}`, 0, ReasonDecode},
		{ReportTokens, `{` + named + `,"details":[` + good + `,{"token":"u","total_requests":1,"ip_list":[{"urls":{"LONG":1}}]}]}`, 2, ""},
		{ReportForensics, forensicsBegin + `"attack_types":{"LONG":["a"],"T":["a"]}}}`, 0, ReasonDecode},
		{ReportForensics, forensicsBegin + `"attack_types":{"T":["LONG","a"]}}}`, 0, ReasonDecode},
		{ReportForensics, forensicsBegin + `"LONG":{},"attack_types":{"T":["a"]}}}`, 0, ReasonDecode},
		{ReportForensics, forensicsBegin + `"metrics":{"token":"LONG"},"attack_types":{"T":["a"]}}}`, 1, ""},
		{ReportAttackList, `{"oauth_tokens":["LONG","t"]}`, 0, ReasonDecode},
		{ReportAttackList, `{"LONG":[],"oauth_tokens":["t"]}`, 0, ReasonDecode},
		{ReportAttackList, `{"oauth_tokens":[{"LONG":1,"token":"t"}]}`, 0, ReasonDecode},
		{ReportAttack, `[{"attack_type":"LONG","api_name":"a","access_tokens":["t"]}]`, 0, ReasonDecode},
		{ReportAttack, `[{"attack_type":"T","api_name":"LONG","access_tokens":["t"]}]`, 0, ReasonDecode},
		{ReportAttack, `[{"attack_type":"T","LONG":1,"access_tokens":["t"]}]`, 0, ReasonDecode},
		{ReportAdmin, `{"name":"api_admin","apis":[{"api_name":"LONG"},{"api_name":"a","token":true}]}`, 0, ReasonDecode},
		{ReportAdmin, `{"name":"api_admin","LONG":{},"apis":[{"api_name":"a","LONG":1}]}`, 0, ReasonDecode},
	} {
		body := func() io.Reader {
			var parts []io.Reader
			for i, part := range strings.Split(c.body, "LONG") {
				if i > 0 {
					parts = append(parts, io.LimitReader(repeating('9'), size))
				}
				parts = append(parts, strings.NewReader(part))
			}
			return io.MultiReader(parts...)
		}
		client := answering(t, body)
		var rows int
		var err error
		base := liveHeap()
		peak := peakHeap(func() { rows, err = requests[c.report](client) })
		if rows != c.rows && c.want == "" || ReasonOf(err) != c.want {
			t.Errorf("%s %s: %d rows, %v; want %d, %q", c.report, c.body, rows, err, c.rows, c.want)
		}
		if peak > base+32<<20 {
			t.Errorf("%s %s: the heap reaches %d MB", c.report, c.body, peak>>20)
		}
	}
}

// repeating is a reader of one byte for ever.
type repeating byte

func (r repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}
