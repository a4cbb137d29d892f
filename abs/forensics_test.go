package abs

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// The report may name another token than the requested one: normalised, missing or obfuscated. The
// caller knows which one was requested.
func TestForensicsOfAnotherToken(t *testing.T) {
	const body = `{"name":"api_abs_token","summary":{"total_requests":3,"total_attacks":1,"total_anomalies":0},` +
		`"details":{"metrics":{"token":"TOKEN","total_requests":3,"ip_list":[]},"attack_types":{"A":["x"]},"anomaly_types":{}}}`
	c := config("https://abs.example.com")
	for _, reported := range []string{"another", "", someToken} {
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(strings.Replace(body, "TOKEN", reported, 1)), nil
		})
		f, err := mustClient(t, c).Forensics(context.Background(), hour, []byte(someToken))
		if err != nil || string(f.Metrics.Token) != reported || f.Attacks != 1 || len(f.AttackTypes) != 1 || f.OtherToken != (reported == "another") {
			t.Errorf("%q: %+v %v", reported, f, err)
		}
	}
}
