package resolve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// addAddresses lets one address use three tokens, one of them flagged, and another address two of
// them and one more.
func addAddresses(r *resolving, at time.Time) {
	event := func(minutes int, token, ip, api string, n int64) simulator.Event {
		return simulator.Event{At: at.Add(-time.Duration(minutes) * time.Minute), Token: token, IP: ip, API: api, Method: "GET", N: n}
	}
	r.sim.Add(
		event(10, secretToken, "2001:db8::1", "shop", 30), event(70, secretToken, "2001:db8::1", "pay", 20),
		event(10, secretToken, "10.0.0.2", "shop", 100), event(11, "second-token-of-the-address-1234", "2001:db8::1", "shop", 60),
		event(12, "third-token-of-the-address-5678", "2001:db8::1", "third-token-of-the-address-5678", 5), event(12, "another-token-of-another-address", "10.0.0.2", "shop", 9),
	)
	r.sim.AddAttack(
		simulator.Attack{Token: secretToken, Type: "Data Exfiltration Attack Type 1", APIs: []string{"shop"}, From: at.Add(-15 * time.Minute), To: at},
		simulator.Attack{Token: "another-token-of-another-address", Type: "Data Poisoning Attack", APIs: []string{"shop"}, From: at.Add(-15 * time.Minute), To: at},
	)
}

// The tokens of an address are printed by their ids, the busiest first, with what they did from it.
func TestResolveAddress(t *testing.T) {
	r := startResolving(t, simulator.Config{}, nil)
	at := storyTime()
	addAddresses(r, at)
	third := "third-token-of-the-address-5678"
	want := fmt.Sprintf(`target     test
address    2001:db8::1
window     %s to %s
requests   115
tokens     3
%s  60 of its 60 requests
  APIs      shop 60
%s  50 of its 150 requests
  APIs      shop 30, pay 20
  critical  Data Exfiltration Attack Type 1 on shop
%s  5 of its 5 requests
  APIs      thir…5678 5
`, at.Add(-3*time.Hour).UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339),
		idOf("second-token-of-the-address-1234"), idOf(secretToken), idOf(third))
	for _, spelling := range []string{"2001:db8::1", "2001:0DB8:0:0::1"} {
		status, out, errs := r.resolve(t, "--ip="+spelling, "--at="+at.Format(time.RFC3339))
		if status != found || errs != "" || out != want {
			t.Fatalf("%s: %s\n%swant\n%s", status, errs, out, want)
		}
	}
	status, out, _ := r.resolve(t, "--ip=2001:db8::1", "--at="+at.Format(time.RFC3339), "--show-token")
	if status != found || !strings.Contains(out, "\n  token     "+secretToken+"\n") || !strings.Contains(out, third+" 5\n") {
		t.Errorf("%s: %s", status, out)
	}
	for _, show := range []bool{false, true} {
		status, out, errs := r.resolve(t, "--ip=2001:db8::1", "--at="+at.Format(time.RFC3339), "--output=json", fmt.Sprint("--show-token=", show))
		var got []addressUse
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != found || errs != "" || len(got) != 1 || len(got[0].Tokens) != 3 {
			t.Fatalf("%s: %v %s\n%s", status, err, errs, out)
		}
		if g := got[0]; g.Requests != 115 || !g.AttacksRead || g.Tokens[1].TokenRequests != 150 || g.Tokens[1].Attacks[0].ID != 1 || (g.Tokens[1].Token == secretToken) != show {
			t.Errorf("got %+v", g)
		}
		if strings.Contains(out, "canary") != show || strings.Contains(out, third) != show {
			t.Errorf("tokens are shown: %v", !show)
		}
	}
	status, out, errs := r.resolve(t, "--ip=10.9.9.9", "--at="+at.Format(time.RFC3339))
	if status != failed || out != "" || !strings.Contains(errs, "no token was used by the address 10.9.9.9") || !strings.Contains(errs, "among 4 rows") {
		t.Errorf("%s: %s%s", status, out, errs)
	}
}

// A window that is read in parts has each request once, and of a proxy that is the address of very
// many tokens 50 are printed.
func TestResolveAddressOfManyTokens(t *testing.T) {
	r := startResolving(t, simulator.Config{ResponseCap: 30_000, CapKind: simulator.CapCut}, failTwice(http.StatusNotFound, "/v4/abs/attack"))
	at := storyTime()
	for i := range 300 {
		r.sim.Add(simulator.Event{At: at.Add(-time.Duration(i%170+1) * time.Minute), Token: fmt.Sprintf("token-%03d-of-the-address-of-a-proxy", i%60), IP: "10.0.0.1", API: "shop", N: int64(1 + i%60)})
	}
	status, out, errs := r.resolve(t, "--ip=10.0.0.1", "--at="+at.Format(time.RFC3339), "--abs.response-cap=30KB")
	if status != found || !strings.Contains(out, "requests   9150\ntokens     60\nattacks    some may be missing") ||
		!strings.Contains(out, idOf("token-059-of-the-address-of-a-proxy")+"  300 of its 300 requests") ||
		strings.Count(out, "of its") != 50 || !strings.HasSuffix(out, "... and 10 more: --output=json has all\n") {
		t.Errorf("%s: %s%s", status, out, errs)
	}
	if !strings.Contains(errs, "attack report not read") {
		t.Errorf("the log is %s", errs)
	}
}
