package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const someWindow = "later_date=2026-03-03T09:00&earlier_date=2026-03-03T07:00"

var (
	someFrom = at("2026-03-03T07:00:00Z")
	someTo   = at("2026-03-03T09:00:00Z")
)

// some is a simulated ABS with traffic, long after the window.
func some(change ...func(*Config)) *Simulator {
	cfg := Config{Seed: 3, Tokens: 200, Rate: 20, Now: func() time.Time { return at("2026-03-04T07:00:00Z") }}
	for _, c := range change {
		c(&cfg)
	}
	return New(cfg)
}

func TestRefusals(t *testing.T) {
	s := some(func(c *Config) { c.URLLimit = 300 })
	keys := func(pairs ...string) []string { return pairs }
	for _, test := range []struct {
		target  string
		headers []string
		status  int
	}{
		{"/v4/abs/oauthtokens?" + someWindow, nil, 200},
		{"/v4/abs/oauthtokens?earlier_date=2026-03-03T07%3A00&later_date=2026-03-03T09%3A00", nil, 200},
		{"/v4/abs/oauthtokens?later_date=2036-03-03T09:00&earlier_date=2036-03-03T07:00", nil, 200},
		{"/v4/abs/oauthtokens?" + someWindow, keys("x-abs-ak", ""), 401},
		{"/v4/abs/oauthtokens?" + someWindow, keys("x-abs-sk", "wrong"), 401},
		{"/v4/abs/oauthtokens?" + someWindow, keys("x-abs-ak", "abs_ak_ru"), 401},
		{"/v4/abs?token=a&" + someWindow, keys("x-abs-ak", "", "x-abs-ak-ru", "abs_ak_ru", "x-abs-sk-ru", "abs_sk_ru"), 403},
		{"/v4/abs/oauthtokens?" + someWindow, keys("x-abs-ak", "", "x-abs-ak-ru", "abs_ak_ru", "x-abs-sk-ru", "abs_sk_ru"), 200},
		{"/v4/abs/oauthtokens", nil, 400},
		{"/v4/abs/oauthtokens?later_date=2026-03-03T09:00", nil, 400},
		{"/v4/abs/oauthtokens?" + someWindow + "&later_date=2026-03-03T09:00", nil, 400},
		{"/v4/abs/oauthtokens?later_date=26-03-03T09:00&earlier_date=26-03-03T07:00", nil, 400},
		{"/v4/abs/oauthtokens?later_date=2026-03-03T9:00&earlier_date=2026-03-03T07:00", nil, 400},
		{"/v4/abs/oauthtokens?later_date=2026-03-03T09:00:00&earlier_date=2026-03-03T07:00", nil, 400},
		{"/v4/abs/oauthtokens?later_date=2026-03-03T09:00Z&earlier_date=2026-03-03T07:00", nil, 400},
		{"/v4/abs/oauthtokens?later_date=2026-03-03T07:00&earlier_date=2026-03-03T09:00", nil, 400},
		{"/v4/abs/oauthtokens?later_date=2026-03-03T07:00&earlier_date=0001-03-03T09:00", nil, 400},
		{"/v4/abs?" + someWindow, nil, 400},
		{"/v4/abs?token=a&" + someWindow, nil, 200},
		{"/v4/abs?token=" + strings.Repeat("a", 300) + "&" + someWindow, nil, 414},
		{"/v4/abs/attack?" + someWindow, nil, 400},
		{"/v4/abs/attack?type=0&" + someWindow, nil, 200},
		{"/v4/abs/attack?type=1&" + someWindow, nil, 400},
		{"/v4/abs/attackstatus", nil, 200},
		{"/v5/abs/admin", nil, 200},
		{"/v5/abs/oauthtokens?" + someWindow, nil, 404},
		{"/", nil, 404},
	} {
		a := ask(t, s, test.target, test.headers...)
		if a.status != test.status {
			t.Errorf("%s %q: status %d, want %d\n%.200s", test.target, test.headers, a.status, test.status, a.body)
		}
		if a.status != 200 && !strings.Contains(a.body, `"message"`) {
			t.Errorf("%s: body %q", test.target, a.body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead} {
		r, err := http.NewRequest(method, "https://abs.example/v4/abs/oauthtokens?"+someWindow, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Transport().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
		if _, err := io.ReadAll(resp.Body); err != nil { // to its end, so that the call is counted
			t.Error(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := s.Stats().Statuses[405]; n != 4 {
		t.Errorf("Stats counts %d calls with 405, want 4", n)
	}
}

// server runs the simulated ABS as a user's client meets it.
func server(t *testing.T, s *Simulator, secure bool) (base string, client *http.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var cert tls.Certificate
	transport := &http.Transport{ForceAttemptHTTP2: true}
	base = "http://" + l.Addr().String()
	if secure {
		base = "https://" + l.Addr().String()
		var pem []byte
		var fingerprint string
		cert, pem, fingerprint, err = SelfSigned("127.0.0.1", "localhost")
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(cert.Certificate[0]); hex.EncodeToString(sum[:]) != fingerprint {
			t.Errorf("fingerprint %s", fingerprint)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			t.Fatal("the PEM holds no certificate")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, cert) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return base, &http.Client{Transport: transport}
}

// get is a call over a connection; body is what arrived before err.
func get(ctx context.Context, t *testing.T, c *http.Client, target string) (status int, header http.Header, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("x-abs-ak", "abs_ak")
	r.Header.Set("x-abs-sk", "abs_sk")
	resp, err := c.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer func() {
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(b), err
}

func TestServe(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := some()
		base, client := server(t, s, secure)
		target := base + "/v4/abs/oauthtokens?" + someWindow
		status, _, body, err := get(t.Context(), t, client, target) // net/http asks for gzip by itself
		if err != nil || status != http.StatusOK {
			t.Fatal(status, err)
		}
		if want := written(t, s, someFrom, someTo); body != want {
			t.Errorf("%d bytes, want the %d of WriteTokens", len(body), len(want))
		}
		var totals Totals
		_, _, body, err = get(t.Context(), t, client, base+"/simulator/truth?from=2026-03-03T07:00:00Z&to=2026-03-03T09:00:00Z")
		if err == nil {
			err = json.Unmarshal([]byte(body), &totals)
		}
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "/simulator/truth", totals, s.Truth(someFrom, someTo))
	}
}

func TestGzip(t *testing.T) {
	s := some()
	plain := ask(t, s, "/v4/abs/oauthtokens?"+someWindow)
	packed := ask(t, s, "/v4/abs/oauthtokens?"+someWindow, "Accept-Encoding", "br, gzip;q=0.5")
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body)*2 > len(plain.body) {
		t.Fatalf("%q, %d of %d bytes", packed.header, len(packed.body), len(plain.body))
	}
	z, err := gzip.NewReader(strings.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || string(got) != plain.body {
		t.Errorf("%v: other bytes", err)
	}
}

func TestCaps(t *testing.T) {
	full := ask(t, some(), "/v4/abs/oauthtokens?"+someWindow).body
	const limit = 64 << 10
	if len(full) < 2*limit {
		t.Fatalf("a report of %d bytes is too short for the test", len(full))
	}
	capped := func(kind CapKind) (string, *http.Client) {
		return server(t, some(func(c *Config) { c.ResponseCap, c.CapKind = limit, kind }), true)
	}
	fetch := func(kind CapKind) (int, string, error) {
		base, client := capped(kind)
		status, _, body, err := get(t.Context(), t, client, base+"/v4/abs/oauthtokens?"+someWindow)
		return status, body, err
	}

	if status, body, err := fetch(CapCut); status != 200 || err != nil || body != full[:limit] {
		t.Errorf("cut: %d, %v, %d bytes", status, err, len(body))
	}
	if status, body, err := fetch(CapAbort); status != 200 || err == nil || !strings.HasPrefix(full, body) || len(body) > limit {
		t.Errorf("abort: %d, %v, %d bytes", status, err, len(body))
	}
	if status, _, err := fetch(CapStatus); status != http.StatusRequestEntityTooLarge || err != nil {
		t.Errorf("status: %d, %v", status, err)
	}
	if status, _, err := fetch(CapError); status != http.StatusInternalServerError || err != nil {
		t.Errorf("error: %d, %v", status, err)
	}
	status, body, err := fetch(CapRows)
	if status != 200 || err != nil || len(body) > limit || len(body) < limit*4/5 {
		t.Fatalf("rows: %d, %v, %d bytes", status, err, len(body))
	}
	var r, all tokensReport
	decode(t, body, &r)
	decode(t, full, &all)
	if r.Summary != all.Summary || len(r.Details) == 0 || !reflect.DeepEqual(r.Details, all.Details[:len(r.Details)]) {
		t.Errorf("rows: summary %+v and %d rows, want %+v and the first of %d",
			r.Summary, len(r.Details), all.Summary, len(all.Details))
	}
	base, client := capped(CapHang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, _, err := get(ctx, t, client, base+"/v4/abs/oauthtokens?"+someWindow); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v", err)
	}
	// What fits is answered by all of them.
	for _, kind := range []CapKind{CapCut, CapAbort, CapStatus, CapRows, CapHang, CapError} {
		s := some(func(c *Config) { c.ResponseCap, c.CapKind = int64(len(full)), kind })
		if a := ask(t, s, "/v4/abs/oauthtokens?"+someWindow); a.status != 200 || a.body != full {
			t.Errorf("kind %d changes a report that fits: %d, %d bytes", kind, a.status, len(a.body))
		}
	}
	// Windows of a minute fit: splitting them in halves leads somewhere.
	s := some(func(c *Config) { c.ResponseCap, c.CapKind = limit, CapStatus })
	if a := ask(t, s, "/v4/abs/oauthtokens?later_date=2026-03-03T07:01&earlier_date=2026-03-03T07:00"); a.status != 200 {
		t.Errorf("a minute: %d", a.status)
	}
}

func TestFaults(t *testing.T) {
	s := some()
	full := ask(t, s, "/v4/abs/oauthtokens?"+someWindow).body
	base, client := server(t, s, false)
	call := func(f Fault) (int, http.Header, string, error) {
		t.Helper()
		if err := s.SetFaults(f); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		return get(ctx, t, client, base+"/v4/abs/oauthtokens?"+someWindow)
	}
	if status, h, _, err := call(Fault{Kind: FaultStatus, Code: 429, RetryAfter: "7"}); status != 429 || h.Get("Retry-After") != "7" || err != nil {
		t.Errorf("status: %d, %q, %v", status, h, err)
	}
	if status, _, body, err := call(Fault{Kind: FaultCut, Share: 0.25}); status != 200 || err != nil || body != full[:len(full)/4] {
		t.Errorf("cut: %d, %v, %d bytes of %d", status, err, len(body), len(full))
	}
	if status, _, body, err := call(Fault{Kind: FaultAbort}); status != 200 || err == nil || !strings.HasPrefix(full, body) {
		t.Errorf("abort: %d, %v, %d bytes", status, err, len(body))
	}
	begin := time.Now()
	if _, _, body, err := call(Fault{Kind: FaultStall, Delay: 30 * time.Millisecond}); err != nil || body != full || time.Since(begin) < 30*time.Millisecond {
		t.Errorf("stall: %v, %d bytes", err, len(body))
	}
	if status, h, body, err := call(Fault{Kind: FaultHTML}); status != 200 || err != nil || h.Get("Content-Type") != "text/html" || !strings.HasPrefix(body, "<!DOCTYPE") {
		t.Errorf("html: %d, %v, %q", status, err, body)
	}
	if _, _, _, err := call(Fault{Kind: FaultHang, Delay: time.Millisecond}); err == nil {
		t.Error("hang: answered")
	}
	if _, _, _, err := call(Fault{Kind: FaultReset}); err == nil {
		t.Error("reset: answered")
	}
	begin = time.Now()
	if _, _, body, err := call(Fault{Kind: FaultSlow, Delay: 30 * time.Millisecond}); err != nil || body != full || time.Since(begin) < 30*time.Millisecond {
		t.Errorf("slow: %v, %d bytes", err, len(body))
	}
	if _, _, body, err := call(Fault{Kind: FaultWrongReport}); err != nil || !strings.Contains(body, `"api_admin"`) {
		t.Errorf("wrong report: %v, %q", err, body)
	}
	if status, _, body, err := call(Fault{Kind: FaultGarbage}); status != 200 || err != nil || json.Valid([]byte(body)) {
		t.Errorf("garbage: %d, %v", status, err)
	}
	if _, _, body, err := call(Fault{Kind: FaultBody, Body: "{}"}); err != nil || body != "{}" {
		t.Errorf("body: %v, %q", err, body)
	}
	if _, _, body, err := call(Fault{Report: "forensics", Kind: FaultReset}); err != nil || body != full {
		t.Errorf("a fault of another report hits: %v", err)
	}
	for _, f := range []Fault{{Kind: "odd"}, {Kind: FaultCut, Share: 2}, {Kind: FaultCut, Probability: -1}, {Kind: FaultStatus, Code: 7}, {Report: "odd", Kind: FaultCut}} {
		if err := s.SetFaults(f); err == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}

func TestFaultsHitAsConfigured(t *testing.T) {
	run := func(seed uint64) (hits []int) {
		c := &clock{now: someTo}
		s := New(Config{Seed: seed, Now: c.Now})
		if err := s.SetFaults(
			Fault{Kind: FaultSlow, Delay: time.Nanosecond},
			Fault{Kind: FaultStatus, Code: 500, Times: 2},
			Fault{Report: "oauthtokens", Kind: FaultStatus, Probability: 0.3},
			Fault{Kind: FaultStatus, Code: 502, From: someTo.Add(time.Hour), To: someTo.Add(2 * time.Hour)},
		); err != nil {
			t.Fatal(err)
		}
		for i := range 1000 {
			if a := ask(t, s, "/v4/abs/oauthtokens?"+someWindow); a.status != 200 {
				hits = append(hits, i*1000+a.status)
			}
			if a := ask(t, s, "/v5/abs/admin"); a.status != 200 && i > 1 {
				t.Fatal("a fault of another report hits")
			}
		}
		c.now = someTo.Add(2*time.Hour - 1)
		if a := ask(t, s, "/v5/abs/admin"); a.status != 502 {
			t.Errorf("within its time a fault doesn't hit: %d", a.status)
		}
		c.now = someTo.Add(2 * time.Hour)
		if a := ask(t, s, "/v5/abs/admin"); a.status != 200 {
			t.Errorf("after its time a fault hits: %d", a.status)
		}
		return hits
	}
	one := run(1)
	if n := len(one); n < 250 || n > 350 || one[0] != 500 {
		t.Errorf("%d of 1000 calls are hit, want about 300; the first %d", n, one[0])
	}
	if !slices.Equal(one, run(1)) {
		t.Error("the same seed hits other calls")
	}
	if slices.Equal(one, run(2)) {
		t.Error("another seed hits the same calls")
	}
}

func TestControlOfFaults(t *testing.T) {
	s := some()
	base, client := server(t, s, false)
	do := func(method, body string) (int, string) {
		r, err := http.NewRequest(method, base+"/simulator/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		return resp.StatusCode, string(b)
	}
	want := Fault{Report: "forensics", Kind: FaultSlow, Delay: 1500 * time.Millisecond, Probability: 0.5, Share: 0.5, From: someFrom}
	if status, body := do(http.MethodPut, `[{"report":"forensics","kind":"slow","delay":"1.5s","probability":0.5,"from":"2026-03-03T07:00:00Z"}]`); status != 200 {
		t.Fatal(status, body)
	}
	_, body := do(http.MethodGet, "")
	var got []Fault
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, []Fault{want}) || !reflect.DeepEqual(s.Faults(), got) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{"", "[{}]", `{"kind":"slow","delay":"soon"}`, `[{"kind":"odd"}]`} {
		if status, _ := do(http.MethodPut, bad); status != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, status)
		}
	}
	if !reflect.DeepEqual(s.Faults(), got) {
		t.Error("a refused list changes the faults")
	}
	if status, _ := do(http.MethodDelete, ""); status != http.StatusNoContent || len(s.Faults()) != 0 {
		t.Errorf("%d, %+v", status, s.Faults())
	}
}

func TestAttacks(t *testing.T) {
	c := &clock{}
	s := New(Config{Now: c.Now, Location: zone("Europe/Berlin")})
	visible := someFrom.Add(30 * time.Minute)
	s.AddAttack(
		Attack{Token: "a+b", Type: "API Memory Attack Type 1", APIs: []string{"shop"}, From: someFrom, To: someTo, VisibleFrom: visible},
		Attack{Token: "a+b", Type: "API Memory Attack Type 1", APIs: []string{"shop", "cards"}, From: someFrom, To: someTo, VisibleFrom: visible},
		Attack{Token: "a+b", Type: "Stolen Token Attack Type 2", From: someFrom, VisibleFrom: visible},
		Attack{Token: "a+b", Type: "Data Exfiltration Attack", Anomaly: true, APIs: []string{"shop"}, From: someFrom, To: someTo, VisibleFrom: visible},
		Attack{Token: "quiet", Type: "Sequence Attack", From: someFrom, VisibleFrom: visible, ForensicsOnly: true},
	)
	all := map[string][]string{"API Memory Attack Type 1": {"shop", "cards"}, "Stolen Token Attack Type 2": {"all"}}
	odd := map[string][]string{"Data Exfiltration Attack": {"shop"}}
	none := map[string][]string{}
	for _, test := range []struct {
		now, from, to      time.Time
		attacks, anomalies map[string][]string
	}{
		{visible.Add(-1), someFrom, someTo, none, none},
		{visible, someFrom, someTo, all, odd},
		{visible, someFrom.Add(-time.Hour), someFrom, none, none},
		{visible, someFrom.Add(-time.Hour), someFrom.Add(time.Minute), all, odd},
		{someTo.Add(time.Hour), someTo, someTo.Add(time.Hour), map[string][]string{"Stolen Token Attack Type 2": {"all"}}, none},
	} {
		c.now = test.now
		f := forensics(t, s, test.from, test.to, "a+b")
		if !reflect.DeepEqual(f.Details.Attacks, test.attacks) || !reflect.DeepEqual(f.Details.Anomalies, test.anomalies) {
			t.Errorf("at %s %s to %s: %+v", test.now, test.from, test.to, f.Details)
		}
		if int(f.Summary.TotalAttacks) != len(test.attacks) || int(f.Summary.TotalAnomalies) != len(test.anomalies) {
			t.Errorf("summary %+v", f.Summary)
		}
	}

	list := func() []string {
		var l struct {
			Tokens []string `json:"oauth_tokens"`
		}
		q := windowQuery(someFrom.In(s.cfg.Location), someTo.In(s.cfg.Location))
		if err := json.Unmarshal([]byte(escaped(ask(t, s, "/v4/abs/attacklist?"+q).body)), &l); err != nil {
			t.Fatal(err)
		}
		return l.Tokens
	}
	c.now = visible.Add(-1)
	if got := list(); len(got) != 0 {
		t.Errorf("in the attack list before they are visible: %q", got)
	}
	c.now = visible
	if got := list(); !slices.Equal(got, []string{"a+b"}) {
		t.Errorf("in the attack list: %q", got)
	}

	type element struct {
		Type    string `json:"attack_type"`
		Name    string `json:"name"`
		API     string `json:"api_name"`
		Earlier string `json:"earlier_date"`
		Tokens  []struct {
			Token   string           `json:"access_token"`
			Times   []string         `json:"access_time"`
			Details []map[string]any `json:"details"`
		} `json:"access_tokens"`
	}
	report := func(query string) []element {
		q := query + "&" + windowQuery(someFrom.In(s.cfg.Location), someTo.In(s.cfg.Location))
		body := strings.ReplaceAll(ask(t, s, "/v4/abs/attack?"+q).body, "\n  ", `\n  `)
		var many []element
		if err := json.Unmarshal([]byte(body), &many); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		return many
	}
	across, shop := report("type=0"), report("type=0&api=shop")
	if len(across) != 1 || across[0].Type != "Stolen Token Attack Type 2" || across[0].API != "all" ||
		across[0].Name != "api_attack_type" || across[0].Tokens[0].Token != "a+b" || len(across[0].Tokens[0].Details) != 1 {
		t.Errorf("across APIs: %+v", across)
	}
	if len(shop) != 1 || shop[0].Type != "API Memory Attack Type 1" || shop[0].API != "shop" ||
		!slices.Equal(shop[0].Tokens[0].Times, []string{"Tue Mar 03 08:00:00:000 2026", "Tue Mar 03 08:00:00:000 2026"}) {
		t.Errorf("of one API: %+v", shop)
	}
}

// The schedule has attacks under way at any time, by living tokens of all sizes, that begin and
// end.
func TestScheduleOfAttacks(t *testing.T) {
	c := &clock{}
	s := New(Config{
		Seed: 1, Tokens: 500, TokenLife: time.Hour, Rate: 60, Now: c.Now,
		AttackEvery: 2 * time.Minute, AttackLast: 6 * time.Minute,
	})
	for m := range 600 {
		now := someFrom.Add(time.Duration(m) * time.Minute)
		if n := len(s.Attacks(now, now.Add(time.Second))); n < 1 || n > 8 {
			t.Fatalf("%d attacks under way at %s", n, now)
		}
	}
	all := s.Attacks(someFrom, someFrom.Add(24*time.Hour))
	if n := len(all); n < 700 || n > 740 {
		t.Errorf("%d attacks in a day, want about 720", n)
	}
	var anomalies, across int
	for _, a := range all {
		if a.Anomaly {
			anomalies++
		}
		if slices.Equal(a.APIs, []string{Across}) {
			across++
		}
		if d := a.To.Sub(a.From); d < 3*time.Minute || d > 9*time.Minute {
			t.Errorf("an attack of %s", d)
		}
		if id, ok := s.traffic.find(a.Token); !ok || s.traffic.lifeAt(id.slot, a.From.Unix()) != id.life {
			t.Errorf("attack by %q, which doesn't live", a.Token)
		}
	}
	if anomalies < 140 || anomalies > 220 || across < 100 || across > 280 {
		t.Errorf("%d anomalies, %d across APIs", anomalies, across)
	}
	// Hour by hour there are the same attacks as in the day.
	var hourly []Attack
	for h := range time.Duration(24) {
		for _, a := range s.Attacks(someFrom.Add(h*time.Hour), someFrom.Add((h+1)*time.Hour)) {
			if !slices.ContainsFunc(hourly, func(p Attack) bool { return reflect.DeepEqual(p, a) }) {
				hourly = append(hourly, a)
			}
		}
	}
	if !reflect.DeepEqual(hourly, all) {
		t.Errorf("%d attacks hour by hour, %d in the day", len(hourly), len(all))
	}
	for _, a := range all {
		last := s.Attacks(a.To.Add(-time.Second), a.To)
		if !slices.ContainsFunc(last, func(b Attack) bool { return reflect.DeepEqual(a, b) }) {
			t.Fatalf("%+v isn't there in its last second", a)
		}
	}
	// Forensics reports what Attacks returns.
	c.now = someFrom.Add(time.Hour)
	for _, a := range s.Attacks(someFrom, c.now) {
		f := forensics(t, s, someFrom, c.now, a.Token)
		found := f.Details.Attacks[a.Type]
		if a.Anomaly {
			found = f.Details.Anomalies[a.Type]
		}
		for _, api := range a.APIs {
			if !slices.Contains(found, api) {
				t.Errorf("%+v isn't reported: %q", a, found)
			}
		}
	}
}

func TestStaleAttackListEntries(t *testing.T) {
	s := some(func(c *Config) { c.StaleAttackListEntries = 1000 })
	if got := strings.Count(ask(t, s, "/v4/abs/attacklist?"+someWindow).body, "expired-"); got != 1000 {
		t.Errorf("%d entries, want 1000", got)
	}
}

func TestOtherReportsAreJSON(t *testing.T) {
	s := some(func(c *Config) { c.AttackEvery = time.Minute })
	for _, target := range []string{
		"/v5/abs/admin", "/v4/abs/admin", "/v4/abs/attackstatus",
		"/v4/abs/attacklist?" + someWindow, "/v4/abs/attack?type=0&" + someWindow,
		"/v4/abs/attack?type=0&api=shop&" + someWindow,
	} {
		a := ask(t, s, target)
		if a.status != 200 || !json.Valid([]byte(strings.ReplaceAll(a.body, "\n  ", " "))) {
			t.Errorf("%s: %d\n%.300s", target, a.status, a.body)
		}
	}
	if body := ask(t, s, "/v5/abs/admin").body; !strings.Contains(body, `"timezone": "utc"`) || !strings.Contains(body, `"api_name": "shop"`) {
		t.Errorf("admin:\n%s", body)
	}
}

// The transport without a network works in virtual time.
func TestTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := some()
		client := &http.Client{Transport: s.Transport()}
		const target = "https://abs.example/v4/abs/oauthtokens?" + someWindow
		full := written(t, s, someFrom, someTo)
		if status, _, body, err := get(t.Context(), t, client, target); status != 200 || err != nil || body != full {
			t.Fatalf("%d, %v, %d bytes", status, err, len(body))
		}
		set := func(f Fault) {
			if err := s.SetFaults(f); err != nil {
				t.Fatal(err)
			}
		}
		set(Fault{Kind: FaultSlow, Delay: time.Hour})
		begin := time.Now()
		if _, _, body, err := get(t.Context(), t, client, target); err != nil || body != full || time.Since(begin) != time.Hour {
			t.Errorf("slow: %v after %s", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, _, _, err := get(ctx, t, client, target); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("slow, with a deadline: %v", err)
		}
		cancel()
		synctest.Wait() // a call that was given up ends a moment later, as at a real server
		set(Fault{Kind: FaultStall, Delay: time.Hour})
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		if _, _, body, err := get(ctx, t, client, target); !errors.Is(err, context.DeadlineExceeded) || body == "" {
			t.Errorf("stall, with a deadline: %v after %d bytes", err, len(body))
		}
		cancel()
		synctest.Wait()
		set(Fault{Kind: FaultAbort})
		if status, _, body, err := get(t.Context(), t, client, target); status != 200 || err == nil || body != full[:len(body)] {
			t.Errorf("abort: %d, %v", status, err)
		}
		set(Fault{Kind: FaultReset})
		if _, _, _, err := get(t.Context(), t, client, target); err == nil {
			t.Error("reset: answered")
		}
		set(Fault{Kind: FaultHang, Delay: time.Hour})
		if _, _, _, err := get(t.Context(), t, client, target); err == nil {
			t.Error("hang: answered")
		}
		if stats := s.Stats(); stats.Calls["oauthtokens"] != 7 || stats.MaxInFlight != 1 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := some(func(c *Config) { c.CallLog = 5; c.Now = nil })
		if err := s.SetFaults(Fault{Report: "forensics", Kind: FaultSlow, Delay: time.Second}); err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: s.Transport()}
		begin := time.Now()
		done := make(chan error)
		for i := range 8 {
			go func() {
				_, _, _, err := get(t.Context(), t, client, fmt.Sprintf("https://a/v4/abs?token=%d&%s", i, someWindow))
				done <- err
			}()
			time.Sleep(10 * time.Millisecond)
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		stats := s.Stats()
		if stats.Calls["forensics"] != 8 || stats.MaxInFlight != 8 || stats.Statuses[200] != 8 {
			t.Errorf("%+v", stats)
		}
		log := stats.Log["forensics"]
		if len(log) != 5 {
			t.Fatalf("%d calls are kept, want 5", len(log))
		}
		for i, c := range log {
			want := begin.Add(time.Duration(i+3) * 10 * time.Millisecond)
			if c.Token != fmt.Sprint(i+3) || !c.Time.Equal(want) || c.Took != time.Second ||
				c.Later != "2026-03-03T09:00" || c.Status != 200 {
				t.Errorf("call %d: %+v", i, c)
			}
		}
		s.ResetStats()
		if stats := s.Stats(); len(stats.Calls) != 0 || stats.MaxInFlight != 0 {
			t.Errorf("after ResetStats: %+v", stats)
		}
	})
}

func TestControlOfTruthAndAttacks(t *testing.T) {
	s := some(func(c *Config) { c.DelayMax = 3 * time.Hour })
	s.AddAttack(Attack{Token: "a", Type: "Sequence Attack", From: someFrom, To: someTo})
	window := "from=" + url.QueryEscape(someFrom.Format(time.RFC3339)) + "&to=" + url.QueryEscape(someTo.Format(time.RFC3339))
	for target, want := range map[string]Totals{
		"/simulator/truth?" + window:                                     s.Truth(someFrom, someTo),
		"/simulator/truth?" + window + "&at=2026-03-03T09:00:00%2B00:00": s.TruthVisible(someFrom, someTo, someTo),
	} {
		var got Totals
		if err := json.Unmarshal([]byte(ask(t, s, target).body), &got); err != nil {
			t.Fatal(err)
		}
		mustEqual(t, target, got, want)
	}
	var attacks []Attack
	if err := json.Unmarshal([]byte(ask(t, s, "/simulator/attacks?"+window).body), &attacks); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(attacks, s.Attacks(someFrom, someTo)) || attacks[0].ID != 36 {
		t.Errorf("%+v", attacks)
	}
	for _, target := range []string{"truth", "truth?from=now&to=now", "attacks?from=now"} {
		if a := ask(t, s, "/simulator/"+target); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", target, a.status)
		}
	}
	if a := ask(t, s, "/simulator/stats"); !bytes.HasPrefix([]byte(a.body), []byte("{")) {
		t.Errorf("stats: %s", a.body)
	}
}
