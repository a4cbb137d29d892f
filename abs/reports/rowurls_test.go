package reports

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// The URLs of a row get their names before a list that is too long is folded: many have one name.
// The token is known by then, wherever its member stands.
func TestRowsHaveURLsByName(t *testing.T) {
	many := make([]string, 3*maxNames)
	for i := range many {
		many[i] = fmt.Sprintf(`"/shop/%d": 1`, i)
	}
	long := make([]string, 2000)
	for i := range long {
		long[i] = fmt.Sprintf(`"/shop/%d%s": 1`, i, strings.Repeat("0", maxRowText/1000))
	}
	entry := func(urls string) string {
		return fmt.Sprintf(`{"ip": "10.0.0.1", "total_requests": 1, "urls": {%s}}`, urls)
	}
	body := fmt.Sprintf(`{"name": "oauth_token_metrics", "details": [
		{"token": "a-token", "total_requests": 1, "ip_list": [%s, %s]},
		{"ip_list": [%s, %s], "token": "another-token", "total_requests": 1}]}`,
		entry(strings.Join(many, ",")), entry(`"/x/a-token": 5`), entry(`"/x/another-token": 7`), entry(strings.Join(long, ",")))
	r := newReportReader()
	r.nameURL = func(dst, url, token []byte) []byte {
		if len(token) > 0 && bytes.Contains(url, token) {
			return append(dst, "/x/hidden"...)
		}
		if bytes.HasPrefix(url, []byte("/shop/")) {
			return append(dst, "/shop/{id}"...)
		}
		return append(dst, url...)
	}
	var got []string
	_, err := r.readTokens(strings.NewReader(body), 1<<30, time.UTC, func(row *Row) error {
		sums := map[string]int64{}
		for _, c := range row.URLs {
			sums[string(c.Key)] += c.N
		}
		got = append(got, fmt.Sprint(sums))
		return nil
	})
	want := []string{"map[/shop/{id}:49152 /x/hidden:5]", "map[/shop/{id}:2000 /x/hidden:7]"}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
