package resolve

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

const resolveKey = "the key of the token ids"

// resolving is a simulated ABS, and the flags by which resolve finds it.
type resolving struct {
	sim   *simulator.Simulator
	flags []string
}

func startResolving(t *testing.T, c simulator.Config, wrap func(http.Handler) http.Handler) *resolving {
	t.Helper()
	cleanEnv(t)
	t.Setenv("ABS_EXPORTER_ABS_ACCESS_KEY", "abs_ak")
	t.Setenv("ABS_EXPORTER_ABS_SECRET_KEY", "abs_sk")
	r := &resolving{sim: simulator.New(c)}
	handler := r.sim.Handler()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	sum := sha256.Sum256(server.Certificate().Raw)
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, resolveKey+"\n")
	r.flags = []string{
		"--abs.url=" + server.URL, "--abs.name=test", "--abs.tls.fingerprint=" + hex.EncodeToString(sum[:]), "--series.token-key-file=" + key,
	}
	return r
}

func idOf(token string) string { return tokenid.Key(resolveKey).ID([]byte(token)).String() }

// outcome is how the command ends.
type outcome string

const (
	found   outcome = "found"
	failed  outcome = "failed"
	refused outcome = "refused" // the settings were wrong, and nothing was asked
)

// resolve runs the command. Its log and its error are returned together.
func (r *resolving) resolve(t *testing.T, args ...string) (status outcome, stdout, stderr string) {
	t.Helper()
	now := time.Now()
	command, err := config.Parse(append(append([]string{"resolve"}, r.flags...), args...), now, io.Discard)
	if err != nil {
		return refused, "", err.Error()
	}
	connect := func(t *config.Target, configure func(*abs.Config)) (*abs.Client, error) {
		c := t.ClientConfig()
		configure(&c)
		return abs.NewClient(c)
	}
	var out, errs bytes.Buffer
	log := slog.New(slog.NewTextHandler(&errs, nil))
	if err := Command(t.Context(), command.(*config.Resolve), connect, now, &out, log); err != nil {
		return failed, out.String(), errs.String() + err.Error()
	}
	return found, out.String(), errs.String()
}

const secretToken = "eyJhbGciOiJSUzI1NiJ9.canary-of-the-middle.sig9Xyz"

// storyTime is long enough ago that ABS reports all of the story.
func storyTime() time.Time { return time.Now().Add(-6 * time.Hour).Truncate(time.Hour) }

func addStory(r *resolving, at time.Time) {
	r.sim.Add(
		simulator.Event{At: at.Add(-10 * time.Minute), Token: secretToken, API: "shop", Method: "GET", URL: "/shop/cart", N: 7},
		simulator.Event{At: at.Add(-20 * time.Minute), Token: secretToken, API: "pay\x1b[31m", Method: "POST", N: 3},
	)
	r.sim.AddAttack(
		simulator.Attack{Token: secretToken, Type: "Data Exfiltration Attack Type 1", APIs: []string{"shop"}, From: at.Add(-15 * time.Minute), To: at},
		simulator.Attack{Token: secretToken, Type: "Data Exfiltration Attack Type 1", APIs: []string{"shop"}, From: at.Add(-5 * time.Minute), To: at},
		simulator.Attack{Token: secretToken, Type: "Something New", ID: 99, From: at.Add(-15 * time.Minute), To: at, Anomaly: true},
	)
}

func TestResolve(t *testing.T) {
	r := startResolving(t, simulator.Config{Tokens: 50, Rate: 60}, nil)
	at := storyTime()
	addStory(r, at)
	status, out, errs := r.resolve(t, idOf(secretToken), "--at="+at.Format(time.RFC3339))
	if status != found || errs != "" {
		t.Fatalf("%s: %s", status, errs)
	}
	want := fmt.Sprintf(`target     test
token id   %s
token      eyJh…9Xyz (49 characters)
window     %s to %s
requests   10
attacks    1
  critical  Data Exfiltration Attack Type 1 on shop, from %s to %s
anomalies  1
  unknown   Something New on all
by API
           7   70 %%  shop
           3   30 %%  "pay\x1b[31m"
by method
           7   70 %%  GET
           3   30 %%  POST
by device
          10  100 %%  UNKNOWN
by IP address
          10  100 %%  127.0.0.1
by URL
           7   70 %%  /shop/cart
           3   30 %%  "/pay\x1b[31m"
`, idOf(secretToken), at.Add(-3*time.Hour).UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339),
		at.Add(-15*time.Minute).UTC().Format(time.RFC3339), at.Add(-5*time.Minute).UTC().Format(time.RFC3339))
	if out != want {
		t.Errorf("prints\n%swant\n%s", out, want)
	}
	if strings.Contains(out, "canary") {
		t.Error("the full token is printed")
	}
	if _, out, _ = r.resolve(t, idOf(secretToken), "--at="+at.Format(time.RFC3339), "--show-token"); !strings.Contains(out, "token      "+secretToken+"\n") {
		t.Errorf("--show-token does not show the token: %s", out)
	}
}

func TestResolveJSON(t *testing.T) {
	r := startResolving(t, simulator.Config{}, nil)
	at := storyTime()
	addStory(r, at)
	for _, show := range []bool{false, true} {
		status, out, errs := r.resolve(t, idOf(secretToken), fmt.Sprint("--at=", at.Unix()), "--output=json", fmt.Sprint("--show-token=", show))
		var got []resolution
		if err := json.Unmarshal([]byte(out), &got); err != nil || status != found || errs != "" || len(got) != 1 {
			t.Fatalf("%s, %d results: %v %s\n%s", status, len(got), err, errs, out)
		}
		g := got[0]
		if g.Requests != 10 || !g.Forensics || g.TokenLength != len(secretToken) || (g.Token == secretToken) != show || !g.To.Equal(at) {
			t.Errorf("got %+v", g)
		}
		if len(g.Attacks) != 1 || g.Attacks[0].ID != 1 || g.Attacks[0].Severity != "critical" || g.Attacks[0].APIs[0] != "shop" {
			t.Errorf("the attacks are %+v", g.Attacks)
		}
		if strings.Contains(out, "canary") != show {
			t.Errorf("the token is shown: %v", !show)
		}
	}
}

// The busiest paths are printed first, 20 of them; JSON has all. The times of an attack are those
// of the zone of ABS. Without an attack report they are missing, and all else is printed.
func TestResolveURLsAndTimes(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	r := startResolving(t, simulator.Config{Location: kolkata}, nil)
	at := storyTime()
	addStory(r, at)
	for i := range 25 {
		for _, ip := range []string{"10.0.0.1", "10.0.0.2"} { // a path of two addresses is one
			r.sim.Add(simulator.Event{At: at.Add(-30 * time.Minute), Token: secretToken, API: "shop", IP: ip, URL: fmt.Sprintf("/shop/item/%02d", i), N: int64(100 - i)})
		}
	}
	args := []string{idOf(secretToken), "--at=" + at.Format(time.RFC3339), "--abs.timezone=Asia/Kolkata"}
	status, out, errs := r.resolve(t, args...)
	_, urls, _ := strings.Cut(out, "by URL\n")
	lines := strings.Split(strings.TrimSpace(urls), "\n")
	if status != found || errs != "" || len(lines) != 21 || !strings.HasSuffix(lines[0], " /shop/item/00") || !strings.HasPrefix(lines[0], "200 ") ||
		!strings.HasSuffix(lines[19], " /shop/item/19") || strings.TrimSpace(lines[20]) != "790  in 7 more" {
		t.Errorf("%s: %s\n%d lines: %s", status, errs, len(lines), urls)
	}
	status, out, _ = r.resolve(t, append(args, "--output=json")...)
	var got []resolution
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != found {
		t.Fatalf("%v: %s", err, out)
	}
	if u := got[0].URLs; len(u) != 27 || u[0] != (count{"/shop/item/00", 200}) {
		t.Errorf("%d paths: %v", len(u), u)
	}
	if a := got[0].Attacks[0]; a.First == nil || !a.First.Equal(at.Add(-15*time.Minute)) || !a.Last.Equal(at.Add(-5*time.Minute)) {
		t.Errorf("%+v", a)
	}
	if err := r.sim.SetFaults(simulator.Fault{Report: "attack", Kind: simulator.FaultStatus, Code: http.StatusNotFound}); err != nil {
		t.Fatal(err)
	}
	if status, out, errs = r.resolve(t, args...); status != found || strings.Contains(out, ", from") || !strings.Contains(errs, "attack report not read") {
		t.Errorf("%s: %s%s", status, out, errs)
	}
}

// A path or a query that has the token does not show it, nor does a query show another secret.
func TestResolveHidesTheTokenInURLs(t *testing.T) {
	r := startResolving(t, simulator.Config{}, nil)
	at := storyTime()
	const token = "canary/of the+middle==of-a-token"
	for i, url := range []string{
		"/introspect?access_token=" + token, "/introspect?x=" + url.QueryEscape(token), "/login?password=hunter2",
		"/tokens/" + url.PathEscape(token) + "/revoke", "/tokens/" + strings.ToLower(url.QueryEscape(token)), "/raw/" + token, "/100%/" + url.PathEscape(token),
		"/100%/" + strings.ToLower(url.PathEscape(token)), "/twice/" + url.PathEscape(url.PathEscape(token)), "/100%/twice/" + url.QueryEscape(url.QueryEscape(token)),
	} {
		r.sim.Add(simulator.Event{At: at.Add(-10 * time.Minute), Token: token, API: "shop", Method: "GET", URL: url, N: int64(100 - i)})
	}
	args := []string{idOf(token), "--at=" + at.Format(time.RFC3339)}
	_, out, errs := r.resolve(t, args...)
	_, urls, _ := strings.Cut(out, "by URL\n")
	want := `         199   21 %  /introspect
         187   20 %  /100%/cana…oken
          98   10 %  /login
          97   10 %  /tokens/cana…oken/revoke
          96   10 %  /tokens/cana…oken
          95   10 %  /raw/cana…oken
          92   10 %  /twice/cana…oken
          91   10 %  /100%/twice/cana…oken
`
	if urls != want {
		t.Errorf("%sprints\n%swant\n%s", errs, urls, want)
	}
	_, text, _ := r.resolve(t, append(args, "--output=json")...)
	for _, secret := range []string{"middle", "hunter2"} {
		if strings.Contains(text, secret) {
			t.Errorf("JSON has %s: %s", secret, text)
		}
	}
	if _, out, _ = r.resolve(t, append(args, "--show-token")...); !strings.Contains(out, "/introspect?access_token="+token+"\n") || !strings.Contains(out, "hunter2") {
		t.Errorf("--show-token shows no query: %s", out)
	}
}

// The token ids of the restricted user are those of the obfuscated tokens.
func TestResolveRestricted(t *testing.T) {
	r := startResolving(t, simulator.Config{SplitRows: 1}, nil)
	at := storyTime()
	addStory(r, at)
	t.Setenv("ABS_EXPORTER_ABS_ACCESS_KEY", "abs_ak_ru")
	t.Setenv("ABS_EXPORTER_ABS_SECRET_KEY", "abs_sk_ru")
	sum := sha256.Sum256([]byte(secretToken))
	status, out, errs := r.resolve(t, idOf(hex.EncodeToString(sum[:])), "--at="+at.Format(time.RFC3339), "--abs.user=restricted")
	if status != found || errs != "" {
		t.Fatalf("%s: %s", status, errs)
	}
	for _, want := range []string{"requests   10\n", "attacks    unknown: ABS refuses forensics to the restricted user\n", "           7   70 %  shop\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("does not print %q:\n%s", want, out)
		}
	}
}

func TestResolveNotFound(t *testing.T) {
	r := startResolving(t, simulator.Config{}, nil)
	at := storyTime()
	addStory(r, at)
	for name, args := range map[string][]string{
		"too late":    {idOf(secretToken)},
		"another key": {tokenid.Key("another key of ids").ID([]byte(secretToken)).String(), "--at=" + at.Format(time.RFC3339)},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := r.resolve(t, args...)
			if status != failed || out != "" {
				t.Errorf("%s, prints %q", status, out)
			}
			for _, want := range []string{"target test: no token with the id " + args[0], "try --at with the time of the alert", "--series.token-key-file, or --state.dir"} {
				if !strings.Contains(errs, want) {
					t.Errorf("does not say %q: %s", want, errs)
				}
			}
		})
	}
}

// failTwice lets the first two requests for a path fail.
func failTwice(status int, path string) func(http.Handler) http.Handler {
	var requests atomic.Int32
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == path && requests.Add(1) <= 2 {
				http.Error(w, secretToken, status)
				return
			}
			next.ServeHTTP(w, req)
		})
	}
}

// A window that is too large for ABS is read in halves.
func TestResolveInHalves(t *testing.T) {
	r := startResolving(t, simulator.Config{}, failTwice(http.StatusRequestEntityTooLarge, "/v4/abs/oauthtokens"))
	at := storyTime()
	addStory(r, at)
	if status, out, errs := r.resolve(t, idOf(secretToken), "--at="+at.Format(time.RFC3339)); status != found || !strings.Contains(out, "requests   10\n") {
		t.Errorf("%s: %s%s", status, out, errs)
	}
}

// So is one of which ABS leaves out rows silently.
func TestResolveRowsLeftOut(t *testing.T) {
	const responseCap = 20_000
	r := startResolving(t, simulator.Config{ResponseCap: responseCap, CapKind: simulator.CapRows}, nil)
	at := storyTime()
	addStory(r, at)
	for i := range 600 { // each in one minute, and together too many for one response
		r.sim.Add(simulator.Event{At: at.Add(-time.Duration(30+i%120) * time.Minute), Token: fmt.Sprintf("another-token-of-the-story-%03d", i), API: "shop", Method: "GET", N: 1})
	}
	for _, token := range []string{secretToken, "another-token-of-the-story-599", "another-token-of-the-story-000"} {
		status, out, errs := r.resolve(t, idOf(token), "--at="+at.Format(time.RFC3339), fmt.Sprintf("--abs.response-cap=%dB", responseCap))
		if status != found || !strings.Contains(out, idOf(token)) {
			t.Errorf("%s: %s: %s%s", token, status, out, errs)
		}
	}
}

// If one of two halves fails, the rows of the other must not pass for all.
func TestResolveHalfFails(t *testing.T) {
	var served atomic.Int32
	r := startResolving(t, simulator.Config{}, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			switch served.Add(1) {
			case 1: // halves are requested
				http.Error(w, "", http.StatusRequestEntityTooLarge)
			case 3:
				http.Error(w, "", http.StatusInternalServerError)
			default:
				next.ServeHTTP(w, req)
			}
		})
	})
	at := storyTime()
	addStory(r, at)
	t.Setenv("ABS_EXPORTER_ABS_ACCESS_KEY", "abs_ak_ru")
	t.Setenv("ABS_EXPORTER_ABS_SECRET_KEY", "abs_sk_ru")
	sum := sha256.Sum256([]byte(secretToken))
	status, out, errs := r.resolve(t, idOf(hex.EncodeToString(sum[:])), "--at="+at.Format(time.RFC3339), "--abs.user=restricted")
	if status != failed || out != "" || !strings.Contains(errs, "500") {
		t.Errorf("%s: %s%s", status, out, errs)
	}
}

// The error of a failed request does not contain the token.
func TestResolveFails(t *testing.T) {
	for name, path := range map[string]string{"no report": "/v4/abs/oauthtokens", "no forensics": "/v4/abs"} {
		t.Run(name, func(t *testing.T) {
			r := startResolving(t, simulator.Config{}, failTwice(http.StatusServiceUnavailable, path))
			at := storyTime()
			addStory(r, at)
			status, out, errs := r.resolve(t, idOf(secretToken), "--at="+at.Format(time.RFC3339))
			if status != failed || out != "" || !strings.Contains(errs, "503") || strings.Contains(errs, "canary") {
				t.Errorf("%s: %s%s", status, out, errs)
			}
		})
	}
}

// All targets are searched; one that has the token is enough.
func TestResolveTargets(t *testing.T) {
	r := startResolving(t, simulator.Config{}, nil)
	at := storyTime()
	addStory(r, at)
	file := filepath.Join(t.TempDir(), "config.yml")
	write(t, file, "targets:\n- {name: away, url: 'https://127.0.0.1:1'}\n- {name: here, url: '"+strings.TrimPrefix(r.flags[0], "--abs.url=")+"'}\n")
	r.flags = append(r.flags[2:], "--config="+file)
	status, out, errs := r.resolve(t, idOf(secretToken), "--at="+at.Format(time.RFC3339))
	if status != found || !strings.Contains(out, "target     here\n") || !strings.Contains(errs, "target away") {
		t.Errorf("%s: %s%s", status, out, errs)
	}
	if status, _, errs = r.resolve(t, idOf(secretToken), "--at="+at.Format(time.RFC3339), "--target=away"); status != failed || !strings.Contains(errs, "target away") {
		t.Errorf("%s: %s", status, errs)
	}
	if status, _, errs = r.resolve(t, idOf(secretToken), "--target=nowhere"); status != refused || errs != "--target: there is no target \"nowhere\" in the configuration" {
		t.Errorf("%s: %s", status, errs)
	}
}

func TestResolveRefuses(t *testing.T) {
	r := startResolving(t, simulator.Config{}, nil)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"_other":     {[]string{"_other"}, "[<token-id>]: _other stands for all tokens without series of their own; there is no one token behind it"},
		"a token":    {[]string{"ABCDEF0123456789"}, `[<token-id>]: "ABCDEF0123456789" is no token id: one has 16 hex digits, as the label token shows it`},
		"no id":      {nil, "a token id is missing, as the label token shows it; or an address: --ip"},
		"both":       {[]string{"0123456789abcdef", "--ip=10.0.0.1"}, "--ip: cannot be used together with a token id"},
		"no address": {[]string{"--ip=10.0.0"}, `--ip: "10.0.0" is no IP address`},
		"no time":    {[]string{"0123456789abcdef", "--at=yesterday"}, `--at: "yesterday" is no time: write 2026-11-23T09:00:00Z, Unix seconds, or 2026-11-23T09:00 in ABS's time zone`},
		"the future": {[]string{"0123456789abcdef", "--at=2999-01-01T00:00"}, "--at: 2999-01-01T00:00:00Z lies in the future"},
		"no key":     {[]string{"0123456789abcdef", "--series.token-key-file=", "--state.dir="}, "--series.token-key-file: is missing, and so is --state.dir: the key of the token ids is needed, the one that serve uses"},
		"no state":   {[]string{"0123456789abcdef", "--series.token-key-file=", "--state.dir=DIR"}, "--state.dir: there is no usable key of the token ids: open DIR/token-id.key: no such file or directory; name the one that serve uses by --series.token-key-file, or its --state.dir"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i := range test.args {
				test.args[i] = strings.ReplaceAll(test.args[i], "DIR", dir)
			}
			status, out, errs := r.resolve(t, test.args...)
			if want := strings.ReplaceAll(test.want, "DIR", dir); status != refused || out != "" || errs != want {
				t.Errorf("%s, says\n%swant\n%s", status, errs, want)
			}
			if made, err := os.ReadDir(dir); err != nil || len(made) > 0 {
				t.Errorf("it created %v: %v", made, err)
			}
		})
	}
}

func TestMasked(t *testing.T) {
	for token, want := range map[string]string{
		"":                                "… (0 characters)",
		"short-token-of-23-chars":         "… (23 characters)",
		"abcd-20-characters--wxyz":        "abcd…wxyz (24 characters)",
		"\x1b[2Jaaaaaaaaaaaaaaaaaaaaaaaa": `"\x1b[2J…aaaa" (28 characters)`,
	} {
		if got := masked([]byte(token)); got != want {
			t.Errorf("masked(%q) = %s, want %s", token, got, want)
		}
	}
}
