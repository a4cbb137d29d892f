package reports

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Rows have what one address requested, wherever its entry names it, and however many names the
// others have.
func TestRowsOfOneAddress(t *testing.T) {
	many := make([]string, 3*maxNames)
	for i := range many {
		many[i] = fmt.Sprintf(`"made-up-%d": 2`, i)
	}
	entry := func(ip, api string, n int) string {
		return fmt.Sprintf(`{"apis": {%q: %d}, "methods": {"GET": %d}, "total_requests": %d, "ip": %q}`, api, n, n, n, ip)
	}
	flood := `{"ip": "10.0.0.2", "total_requests": 98304, "apis": {` + strings.Join(many, ",") + `}}`
	body := `{"name": "oauth_token_metrics", "summary": {"tokens": 2, "total_requests": 98319}, "details": [
		{"token": "a", "total_requests": 98314, "ip_list": [` +
		strings.Join([]string{entry("10.0.0.2", "hr", 3), entry("10.0.0.1", "shop", 4), flood, entry("::ffff:10.0.0.1", "pay", 2), entry("10.0.0.2", "hr", 1), flood}, ",") + `]},
		{"token": "b", "total_requests": 5, "ip_list": [` + entry("10.0.0.2", "hr", 5) + `]}]}`
	r := newReportReader()
	r.onlyIP = netip.MustParseAddr("10.0.0.1")
	text := func(counts []Count) (all string) {
		for _, c := range counts {
			all += fmt.Sprintf(" %s=%d", c.Key, c.N)
		}
		return all
	}
	var got strings.Builder
	_, err := r.readTokens(strings.NewReader(body), 1<<30, time.UTC, func(row *Row) error {
		fmt.Fprintf(&got, "%s %d:%s%s%s\n", row.Token, row.Requests, text(row.APIs), text(row.Methods), text(row.IPs))
		return nil
	})
	const want = "a 98314: shop=4 pay=2 GET=4 GET=2 10.0.0.1=4 ::ffff:10.0.0.1=2\nb 5:\n"
	if err != nil || got.String() != want {
		t.Errorf("%v\n%swant\n%s", err, got.String(), want)
	}
}
