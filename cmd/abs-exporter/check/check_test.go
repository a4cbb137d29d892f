package check_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/check"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// begin is the present of the variants: a Wednesday morning.
var begin = time.Date(2026, time.November, 25, 10, 5, 0, 0, time.UTC)

// proxied is the address that the CONNECT proxy connects to, whatever it is asked for.
var (
	proxied      atomic.Pointer[string]
	proxyAddress string
)

// TestMain starts a forward proxy for the whole process, as net/http reads its variables once. What
// is on loopback is requested directly all the same.
func TestMain(m *testing.M) {
	proxy := httptest.NewServer(http.HandlerFunc(connect))
	proxyAddress = strings.TrimPrefix(proxy.URL, "http://")
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "ABS_EXPORTER") || strings.HasSuffix(strings.ToUpper(name), "_PROXY") {
			_ = os.Unsetenv(name)
		}
	}
	_ = os.Setenv("HTTPS_PROXY", "http://user:canary-proxy-password@"+proxyAddress)
	status := m.Run()
	proxy.Close()
	os.Exit(status)
}

// connect answers CONNECT as a forward proxy does: it copies bytes both ways.
func connect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || proxied.Load() == nil {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	to, err := net.Dial("tcp", *proxied.Load())
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(to, buffered); to.Close() }() // it may have begun to read
	_, _ = io.Copy(from, to)
	from.Close()
}

// variant is a simulated ABS, and how it is asked.
type variant struct {
	name    string
	sim     simulator.Config
	skew    time.Duration // ABS's clock less ours
	faults  []simulator.Fault
	until   time.Time // of the certificate; zero: it is good
	names   []string  // in the certificate; nil: 127.0.0.1 and localhost
	handler func(http.Handler) http.Handler
	path    string   // of the URL
	host    string   // in the URL, in place of the simulator's address
	untrust bool     // no fingerprint is given
	plain   bool     // http
	flags   []string // DIR stands for a directory with files of keys
	keys    [2]string
	exit    string // the error
}

const (
	accessKey, secretKey                     = "canary-access-key", "canary-secret-key"
	restrictedAccessKey, restrictedSecretKey = "canary-restricted-access", "canary-restricted-secret"
)

const toFix = "something is to be fixed"

func variants() []variant {
	missing := func(reports ...string) (faults []simulator.Fault) {
		for _, r := range reports {
			faults = append(faults, simulator.Fault{Report: r, Kind: simulator.FaultStatus, Code: http.StatusNotFound})
		}
		return faults
	}
	var untracked, training []simulator.Fault
	for _, api := range apis {
		untracked = append(untracked, simulator.Fault{Kind: simulator.FaultUntracked, API: api})
	}
	for _, api := range apis[:2] {
		training = append(training, simulator.Fault{Kind: simulator.FaultTraining, API: api})
	}
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		panic(err)
	}
	restricted := [2]string{restrictedAccessKey, restrictedSecretKey}
	return []variant{
		{name: "admin"},
		{name: "restricted", keys: restricted, flags: []string{"--abs.user=restricted"}},
		{name: "restricted-as-admin", keys: restricted, exit: toFix},
		{name: "wrong-keys", keys: [2]string{"canary-wrong", "canary-wrong-too"}, exit: toFix},
		{name: "default-keys", sim: simulator.Config{AccessKey: "abs_ak", SecretKey: "abs_sk"}, keys: [2]string{"abs_ak", "abs_sk"}, exit: toFix},
		{name: "self-signed", untrust: true, exit: toFix},
		{name: "self-signed-for-nobody", untrust: true, names: []string{}, exit: toFix},
		{name: "self-signed-for-another", untrust: true, names: []string{"canary-abs.internal", "203.0.113.9"}, exit: toFix},
		{name: "other-fingerprint", untrust: true, flags: []string{"--abs.tls.fingerprint=" + strings.Repeat("ab", 32)}, exit: toFix},
		{name: "not-checked", untrust: true, flags: []string{"--abs.tls.insecure-skip-verify"}, exit: toFix},
		{name: "expired", untrust: true, until: time.Date(2026, time.January, 31, 0, 0, 0, 0, time.UTC), exit: toFix},
		{name: "expired-pinned", until: time.Date(2026, time.January, 31, 0, 0, 0, 0, time.UTC), exit: toFix},
		{name: "plain-http", plain: true},
		{name: "zone-ahead", sim: simulator.Config{Location: kolkata}, exit: toFix},
		{name: "zone-behind", flags: []string{"--abs.timezone=Asia/Kolkata"}, exit: toFix},
		{name: "zone-right", sim: simulator.Config{Location: kolkata}, flags: []string{"--abs.timezone=Asia/Kolkata"}},
		{name: "clock-ahead", skew: 40 * time.Minute, exit: toFix},
		{name: "clock-behind", skew: -40 * time.Minute, exit: toFix},
		{name: "inclusive", sim: simulator.Config{InclusiveEnd: true}, exit: toFix},
		{name: "inclusive-set", sim: simulator.Config{InclusiveEnd: true}, flags: []string{"--abs.window-end=inclusive"}},
		{name: "exclusive-set-inclusive", flags: []string{"--abs.window-end=inclusive"}, exit: toFix},
		{name: "quiet-inclusive", sim: simulator.Config{InclusiveEnd: true, Tokens: 3, Rate: 6}, exit: toFix},
		{name: "quiet-exclusive", sim: simulator.Config{Tokens: 3, Rate: 6}},
		{name: "quiet-exclusive-set-inclusive", sim: simulator.Config{Tokens: 3, Rate: 6}, flags: []string{"--abs.window-end=inclusive"}, exit: toFix},
		{name: "no-traffic", sim: simulator.Config{End: begin.AddDate(0, 0, -30)}},
		{name: "late", sim: simulator.Config{Delay: 80 * time.Minute, DelayMax: 80 * time.Minute}},
		{name: "very-late", sim: simulator.Config{Delay: 80 * time.Minute, DelayMax: 80 * time.Minute}, flags: []string{"--collect.settle=1h", "--collect.window=1h"}, exit: toFix},
		{name: "cap-cuts", sim: simulator.Config{ResponseCap: 15_000, CapKind: simulator.CapCut}, exit: toFix},
		{name: "cap-500", sim: simulator.Config{ResponseCap: 15_000, CapKind: simulator.CapError}, exit: toFix},
		{name: "cap-500-of-a-day", sim: simulator.Config{ResponseCap: 16_800, CapKind: simulator.CapError}},
		{name: "cap-413", sim: simulator.Config{ResponseCap: 15_000, CapKind: simulator.CapStatus}},
		{name: "cap-leaves-rows-out", sim: simulator.Config{ResponseCap: 15_000, CapKind: simulator.CapRows}, exit: toFix},
		{name: "cap-below-ten-minutes", sim: simulator.Config{ResponseCap: 2_000, CapKind: simulator.CapCut}, exit: toFix},
		{name: "cap-known", sim: simulator.Config{ResponseCap: 15_000, CapKind: simulator.CapCut}, flags: []string{"--abs.response-cap=15kB"}},
		{name: "no-attack-reports", faults: missing("attacklist", "attack"), exit: toFix},
		{name: "no-admin-report", faults: missing("admin")},
		{name: "tokens-not-tracked", sim: simulator.Config{Tokens: -1}, faults: untracked, exit: toFix},
		{name: "in-training", faults: training, exit: toFix},
		{
			name: "licence-over", exit: toFix,
			faults: []simulator.Fault{{Kind: simulator.FaultLicense, From: begin.AddDate(0, 0, -3)}},
		},
		{name: "refuses-the-future", handler: refusesFuture, sim: simulator.Config{Location: kolkata}, exit: toFix},
		{name: "proxy", host: "abs.example.com:8080"},
		{name: "404-prefix", handler: below("/gateway"), exit: toFix},
		{name: "prefix-known", handler: below("/gateway"), path: "/gateway"},
		{name: "path-of-a-report", path: "/v4/abs", exit: toFix},
		{name: "abs-4.4", sim: simulator.Config{Version44: true}},
		{name: "not-started", faults: []simulator.Fault{{Kind: simulator.FaultStatus, Code: http.StatusServiceUnavailable}}, exit: toFix},
		{name: "web-page", faults: []simulator.Fault{{Kind: simulator.FaultHTML}}, exit: toFix},
		{name: "offline", flags: []string{"--offline", "--collect.settle=50m"}, keys: [2]string{"abs_ak", "abs_sk"}, exit: toFix},
		{name: "offline-sound", flags: []string{"--offline"}},
	}
}

func below(prefix string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler { return http.StripPrefix(prefix, h) }
}

// refusesFuture is an ABS that answers a window with 400 that ends after its present, in Kolkata.
func refusesFuture(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const layout = "2006-01-02T15:04"
		if to := r.URL.Query().Get("later_date"); to > begin.Add(330*time.Minute).Format(layout) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		h.ServeHTTP(w, r)
	})
}

var apis = []string{"canary-api-shop", "canary_api_pay", "canary.api/cards"}

// started is a variant that runs.
type started struct {
	sim   *simulator.Simulator
	calls atomic.Int64 // requests that arrived
	gets  atomic.Int64 // of them by GET
	args  []string
	dir   string
	host  string
	sent  sync.Map // bodies of responses, by their number
}

// recorded keeps what is written to it.
type recorded struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (r *recorded) Write(b []byte) (int, error) {
	r.body.Write(b)
	return r.ResponseWriter.Write(b)
}

func (v *variant) start(t *testing.T) *started {
	t.Helper()
	s := &started{dir: t.TempDir()}
	t.Chdir(s.dir) // names of files in the output have one length then
	c := v.sim
	c.Seed, c.APIs, c.MaxTokenLen = 1, apis, 120
	c.Now = func() time.Time { return begin.Add(v.skew) }
	if c.Tokens == 0 {
		c.Tokens, c.Rate = 10, 120
	}
	if c.Delay == 0 {
		c.Delay, c.DelayMax = 5*time.Minute, 5*time.Minute
	}
	if c.AccessKey == "" {
		c.AccessKey, c.SecretKey = accessKey, secretKey
	}
	c.RestrictedAccessKey, c.RestrictedSecretKey = restrictedAccessKey, restrictedSecretKey
	s.sim = simulator.New(c)
	if c.Tokens > 0 && c.End.IsZero() {
		s.addCanary(begin.Add(v.skew))
	}
	if err := s.sim.SetFaults(v.faults...); err != nil {
		t.Fatal(err)
	}
	until := v.until
	if until.IsZero() {
		until = time.Date(2036, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	names := v.names
	if names == nil {
		names = []string{"127.0.0.1", "localhost"}
	}
	cert, _, fingerprint, err := simulator.SelfSignedUntil(until, names...)
	if err != nil {
		t.Fatal(err)
	}
	handler := s.sim.Handler()
	if v.handler != nil {
		handler = v.handler(handler)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := s.calls.Add(1)
		if r.Method == http.MethodGet {
			s.gets.Add(1)
		}
		r.Header.Del("Accept-Encoding") // so that the record can be read
		record := &recorded{ResponseWriter: w}
		handler.ServeHTTP(record, r)
		s.sent.Store(n, record.body.String())
	}))
	scheme := "https"
	if v.plain {
		scheme = "http"
		server.Start()
	} else {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.Config.ErrorLog = discardLog
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	s.host = server.Listener.Addr().String()
	host := s.host
	if v.host != "" {
		proxied.Store(&s.host)
		host = v.host
	}
	keys := v.keys
	if keys[0] == "" {
		keys = [2]string{accessKey, secretKey}
	}
	for i, name := range []string{"access", "secret"} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(keys[i]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.args = []string{
		"check", "--abs.url=" + scheme + "://" + host + v.path, "--abs.name=canary-target", "--abs.rate=10000", "--forensics.rate=100",
		"--abs.access-key-file=access", "--abs.secret-key-file=secret",
	}
	if !v.untrust && !v.plain {
		s.args = append(s.args, "--abs.tls.fingerprint="+fingerprint)
	}
	s.args = append(s.args, v.flags...)
	return s
}

// What ABS reports of one token: each value may be in no bundle.
const (
	canaryToken  = "canary-token-eyJhbGciOiJub25lIn0.a-secret"
	canaryIP     = "203.0.113.77"
	canaryDevice = "canary-device/1.0"
	canaryURL    = "/canary-url/z9q7?key=canary-query"
	canaryAttack = "Canary Attack Type 1"
)

// addCanary adds requests of a token that are settled, and attacks.
func (s *started) addCanary(now time.Time) {
	s.sim.Add(simulator.Event{
		At: now.Add(-150 * time.Minute), Token: canaryToken, IP: canaryIP, Device: canaryDevice, URL: canaryURL, API: apis[0], N: 3,
	})
	s.sim.AddAttack(
		simulator.Attack{Token: canaryToken, Type: canaryAttack, ID: 2, APIs: apis[:1], From: now.Add(-time.Hour), To: now},
		simulator.Attack{Token: canaryToken, Type: canaryAttack, ID: 1, APIs: []string{simulator.Across}, From: now.Add(-time.Hour), To: now},
	)
}

// run runs the command. Its clock moves by 5 ms each time that it is read: durations repeat.
func (s *started) run(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var ticks atomic.Int64
	now := func() time.Time { return begin.Add(time.Duration(ticks.Add(1)) * 5 * time.Millisecond) }
	parsed, err := config.Parse(append(s.args[:len(s.args):len(s.args)], args...), begin, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	command, ok := parsed.(*config.Check)
	if !ok {
		t.Fatalf("parsed as %T", parsed)
	}
	var stdout, stderr bytes.Buffer
	err = check.Command(context.Background(), command, "abs-exporter/test", now, &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("written to stderr, which is no terminal: %s", &stderr)
	}
	return s.plain(stdout.String()), err
}

var (
	fingerprints = regexp.MustCompile(`\b[0-9A-F]{64}\b`)
	ports        = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
)

// plain replaces what differs from run to run.
func (s *started) plain(text string) string {
	text = strings.NewReplacer(s.host, "127.0.0.1:ABS", proxyAddress, "127.0.0.1:PROXY").Replace(text)
	return ports.ReplaceAllString(fingerprints.ReplaceAllString(text, "FINGERPRINT"), "127.0.0.1:PORT")
}

// What check prints about each variant, its exit, that it sends at most 40 requests, all GET, and
// that the bundle has no token, key, address, URL, device, attack type, API, file or host, in no
// form.
func TestVariants(t *testing.T) {
	golden, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			s := v.start(t)
			offline := slices.Contains(v.flags, "--offline")
			if !offline {
				s.args = append(s.args, "--report=report.json")
			}
			got, err := s.run(t)
			if text := fmt.Sprint(err); text != v.exit && (v.exit != "" || err != nil) {
				t.Errorf("the error is %q, want %q", text, v.exit)
			}
			equalsGolden(t, filepath.Join(golden, v.name+".txt"), got)
			s.sentFew(t)
			if n := s.calls.Load(); n > 0 && !strings.Contains(got, fmt.Sprintf("; %d request", n)) {
				t.Errorf("%d requests arrived, and the output has another number", n)
			}
			if offline {
				if n := s.calls.Load(); n > 0 {
					t.Errorf("%d requests with --offline", n)
				}
				return
			}
			s.bundleHasNoValues(t)
		})
	}
}

// equalsGolden compares a text with a file, or writes the file.
func equalsGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// sentFew checks that at most 40 requests arrived, all of them GET.
func (s *started) sentFew(t *testing.T) {
	t.Helper()
	if n := s.calls.Load(); n > 40 || n != s.gets.Load() {
		t.Errorf("%d requests, %d of them by GET; want 40 at most, all of them", n, s.gets.Load())
	}
}

// The JSON has the answers of the text.
func TestJSON(t *testing.T) {
	v := variant{sim: simulator.Config{InclusiveEnd: true}}
	s := v.start(t)
	out, err := s.run(t, "--output=json")
	if err == nil {
		t.Error("nothing is to be fixed")
	}
	var results []check.Result
	if err := json.Unmarshal([]byte(out), &results); err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].Target != "canary-target" || results[0].Calls != int(s.calls.Load()) {
		t.Fatalf("got %+v", results)
	}
	for _, a := range results[0].Answers {
		if a.ID == "window_end" && (a.State != check.Fix || len(a.Set) != 1 || a.Set[0] != check.Setting{Flag: "--abs.window-end", Value: "inclusive"}) {
			t.Errorf("got %+v", a)
		}
	}
}

var discardLog = log.New(io.Discard, "", 0)
