package test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/config"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// canary is in every secret of these tests, and nowhere else. The tokens around it contain what has
// to be escaped in a URL, in JSON, in a label and in a log.
const (
	canary       = "c4n4ry"
	canaryAccess = "access-" + canary + "-k"
	canarySecret = "secret-" + canary + "-k"
)

func canaryTokens() []string {
	return []string{
		canary + "-plain-0123456789abcdef",
		canary + "+/==&token=" + canary,
		canary + ` "quoted"\{},` + "\n" + canary,
		"eyJhbGciOiJSUzI1NiJ9." + canary + "." + strings.Repeat(canary, 100),
	}
}

// Keys and tokens are sent to ABS and nowhere else, whatever ABS answers: all that the exporter
// writes and serves is searched for them, at the highest level of the log, while ABS fails in every
// known way and echoes the request.
func TestNoSecretLeaks(t *testing.T) {
	t.Parallel()
	for _, report := range []string{"oauthtokens", "forensics"} {
		t.Run(report+" over HTTP 2, keys from variables", func(t *testing.T) {
			t.Parallel()
			sim := canaryABS()
			flags := startABS(t, sim, nil)
			c := startCanary(t, sim, &echoes{}, append(flags, "--log.format=json"),
				"ABS_EXPORTER_ABS_ACCESS_KEY="+canaryAccess, "ABS_EXPORTER_ABS_SECRET_KEY="+canarySecret)
			for _, fault := range canaryFaults() {
				if fault.Code == http.StatusRequestEntityTooLarge && report == "forensics" {
					continue // a token for which ABS answers so is never read again
				}
				fault.Report = report
				c.during(t, report, func() {
					if err := sim.SetFaults(fault); err != nil {
						t.Fatal(err)
					}
				})
			}
			for _, reason := range []string{"auth", "timeout", "connection", "status", "decode", "size"} {
				series := fmt.Sprintf(`abs_exporter_report_failures_total{reason="%s",report="%s",target="test"}`, reason, report)
				if n, _ := c.value(t, series); n == 0 {
					t.Errorf("%s is 0", series)
				}
			}
			c.search(t, report, len(canaryFaults()), syscall.SIGTERM)
		})
		t.Run(report+" echoed over HTTP 1.1, keys from files", func(t *testing.T) {
			t.Parallel()
			sim, echo := canaryABS(), &echoes{report: report}
			flags := startABS(t, sim, echo.before)
			c := startCanary(t, sim, echo, append(flags, keyFiles(t, canaryAccess, canarySecret)...))
			for _, reply := range canaryReplies() {
				c.during(t, report, func() { echo.set(reply) })
			}
			c.search(t, report, len(canaryReplies()), syscall.SIGQUIT)
		})
	}
}

// canaryExporter is an exporter that handles secrets, with the pages that it has served.
type canaryExporter struct {
	*exporter
	probe *exporter // its probe listener
	sim   *simulator.Simulator
	echo  *echoes
	dir   string // of its state
	shown []string
}

func startCanary(t *testing.T, sim *simulator.Simulator, echo *echoes, flags []string, env ...string) *canaryExporter {
	t.Helper()
	dir := t.TempDir()
	e, probe := startProbed(t, env, append(flags, "--state.dir="+dir, "--log.level=debug",
		"--abs.timeout=200ms", "--abs.response-cap=1MB", "--abs.rate=1000", "--forensics.rate=1000",
		// The end of a cycle would cut a forensics request before its time limit.
		"--collect.interval=600ms", "--collect.reread=600ms", "--collect.lookback=1h",
		"--series.dimensions=method,api,device,ip,url")...)
	counted(t, e)
	until(t, "ABS has forensics requests for the tokens", func() bool {
		for _, call := range sim.Stats().Log["forensics"] {
			if strings.Contains(call.Token, canary) {
				return true
			}
		}
		return false
	})
	c := &canaryExporter{exporter: e, probe: probe, sim: sim, echo: echo, dir: dir}
	c.shown = append(c.shown, c.pages(t))
	c.profiles(t)
	return c
}

// startProbed runs serve with a probe listener that has profiles.
func startProbed(t *testing.T, env []string, args ...string) (e, probe *exporter) {
	t.Helper()
	address, probeAddress := tools.FreeAddress(t), tools.FreeAddress(t)
	p := start(t, env, append([]string{
		"serve", "--web.listen-address=" + address, "--web.probe-address=" + probeAddress, "--web.enable-pprof",
	}, args...)...)
	p.serving(t)
	return &exporter{p, "http://" + address + "/"}, &exporter{p, "http://" + probeAddress + "/"}
}

// during lets a report fail for a full cycle at least: only the first failure of a cycle is logged.
func (c *canaryExporter) during(t *testing.T, report string, wrong func()) {
	t.Helper()
	cycles := func() float64 {
		n, _ := c.value(t, `abs_exporter_cycle_duration_seconds_count{target="test"}`)
		return n
	}
	calls := func() int64 { return c.sim.Stats().Calls[report] + c.echo.calls() }
	wrong()
	begun := cycles()
	until(t, "the cycle under way is over", func() bool { return cycles() > begun })
	asked := calls()
	until(t, "ABS has a request for "+report, func() bool { return calls() > asked })
	begun = cycles()
	until(t, "the cycle is over", func() bool { return cycles() > begun })
	c.shown = append(c.shown, c.pages(t))
}

// profiles keeps all profiles that the probe listener serves.
func (c *canaryExporter) profiles(t *testing.T) {
	t.Helper()
	names := strings.Fields(c.probe.get(t, "debug/pprof/"))
	if len(names) < 5 {
		t.Errorf("there are only the profiles %q", names)
	}
	for _, name := range append(names, "profile?seconds=1", "goroutine?debug=2", "heap?debug=1") {
		if name == "profile" {
			continue // of 30 seconds
		}
		text := c.probe.get(t, "debug/pprof/"+name)
		if unpacked, err := gzip.NewReader(strings.NewReader(text)); err == nil {
			data, err := io.ReadAll(unpacked)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			text = string(data)
		}
		c.shown = append(c.shown, text)
	}
}

// search ends the exporter by a signal and searches all that it has written and served. The log
// must have at least so many failures, or there would be nothing to search in. SIGQUIT lets Go
// write the stack of each goroutine.
func (c *canaryExporter) search(t *testing.T, report string, least int, end syscall.Signal) {
	t.Helper()
	c.profiles(t)
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.cmd.Process.Pid))
	if err != nil && runtime.GOOS == "linux" {
		t.Error(err)
	}
	searchSecrets(t, "the arguments", string(arguments))
	if err := c.cmd.Process.Signal(end); err != nil {
		t.Fatal(err)
	}
	status := c.status(t)
	log := c.stderr.String()
	if dumped := strings.Contains(log, "SIGQUIT: quit") && strings.Count(log, "\ngoroutine ") > 5; dumped != (end == syscall.SIGQUIT) || !dumped && status != 0 {
		t.Errorf("it ended with status %d; the stacks of goroutines are in its log: %v", status, dumped)
	}
	searchSecrets(t, "the standard output", c.stdout.String())
	searchSecrets(t, "the log", log)
	searchSecrets(t, "a page", strings.Join(c.shown, "\n"))
	for name, text := range contents(t, c.dir) {
		searchSecrets(t, "the file "+name, text)
		searchSecrets(t, "a file's name", name)
	}
	if n := strings.Count(log, "abs: "+report+": "); n < least {
		t.Errorf("the log has %d failures of %s, want %d at least", n, report, least)
	}
	if !strings.Contains(log, "slot read") {
		t.Error("the log is not at its highest level")
	}
}

// pages returns all that the exporter serves now.
func (e *exporter) pages(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, p := range []config.ScrapeProtocol{config.PrometheusText0_0_4, config.OpenMetricsText1_0_0, config.PrometheusProto} {
		text, _ := e.scrape(t, "metrics", config.ScrapeProtocolsHeaders[p])
		all.WriteString(text)
	}
	for _, page := range []string{"", "healthz", "readyz", "-/healthy", "-/ready", "config", "api/v1/status", "runbooks/", "runbooks/ABSAttackCritical.md"} {
		all.WriteString(e.get(t, page))
	}
	return all.String()
}

// searchSecrets looks for the secrets in plain text and in usual encodings.
func searchSecrets(t *testing.T, where, text string) {
	t.Helper()
	text = strings.ToLower(text)
	if at, n := secretIn(text); n > 0 {
		t.Errorf("%s contains a secret: …%q…", where, text[max(0, at-150):min(len(text), at+n+50)])
	}
	for _, n := range []string{"earlier_date=", "x-abs-"} {
		if strings.Contains(text, n) {
			t.Errorf("%s contains a query or a header of ABS's: %s", where, n)
		}
	}
}

// secretIn returns where a text in lower case has a secret, and the length of what was found.
func secretIn(text string) (at, n int) {
	for _, form := range secretForms() {
		if at := strings.Index(text, form); at >= 0 {
			return at, len(form)
		}
	}
	return 0, 0
}

// secretForms returns in lower case what a text may have of a secret: the canary in each encoding
// that goes by characters, and whole secrets in base64, where the canary alone would be too short.
var secretForms = sync.OnceValue(func() (forms []string) {
	secrets := append(canaryTokens(), canaryAccess, canarySecret)
	for n := range 3 {
		g := gatewaySecrets(n)
		secrets = append(secrets, g.proxy, "exporter:"+g.proxy, g.token, g.header, g.access, g.secret)
	}
	forms = append(forms, canary, hex.EncodeToString([]byte(canary)))
	for _, encoding := range []string{"%%%02x", `\u%04x`, `\x%02x`, "&#%d;", "&#x%x;"} {
		forms = append(forms, eachRune(canary, encoding))
	}
	for _, text := range secrets {
		for before := range 3 { // bytes that share a group of four characters with the secret's first
			for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
				encoded := encoding.EncodeToString([]byte(strings.Repeat("x", before) + text))
				forms = append(forms, encoded[(before*8+5)/6:len(encoded)-1])
			}
		}
	}
	for i, form := range forms {
		forms[i] = strings.ToLower(form)
	}
	slices.Sort(forms)
	return slices.Compact(forms)
})

func eachRune(text, format string) string {
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, format, r)
	}
	return b.String()
}

// The search finds a secret in each of the usual encodings, wherever it stands.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	secret := canaryTokens()[2] // it has what must be escaped
	quoted, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for before := range 5 {
		inside := strings.Repeat("a", before) + secret + "z"
		for form, text := range map[string]string{
			"plain": inside, "upper case": strings.ToUpper(inside), "JSON": string(quoted), "Go": strconv.Quote(inside),
			"query": url.QueryEscape(inside), "path": url.PathEscape(inside), "hex": hex.EncodeToString([]byte(inside)),
			"percent": eachRune(inside, "%%%02X"), "JSON escapes": eachRune(inside, `\u%04X`), "byte escapes": eachRune(inside, `\x%02x`),
			"HTML": eachRune(inside, "&#%d;"), "HTML in hex": eachRune(inside, "&#x%X;"),
			"base64": base64.StdEncoding.EncodeToString([]byte(inside)), "base64 of a URL": base64.URLEncoding.EncodeToString([]byte(inside)),
		} {
			if _, n := secretIn(strings.ToLower("text " + text + " text")); n == 0 {
				t.Errorf("%s after %d bytes is not found: %s", form, before, text)
			}
		}
	}
	if at, n := secretIn("c4n4 r4 is no secret, nor is \\u0063"); n > 0 {
		t.Errorf("a secret at %d", at)
	}
}

func canaryABS() *simulator.Simulator {
	sim := simulator.New(simulator.Config{AccessKey: canaryAccess, SecretKey: canarySecret, Immediate: true})
	now := time.Now()
	for i, token := range canaryTokens() {
		sim.Add(simulator.Event{At: now.Add(-20 * time.Minute), Token: token, IP: fmt.Sprintf("192.0.2.%d", i), N: 10})
		sim.AddAttack(simulator.Attack{
			Token: token, Type: "Data Exfiltration Attack Type 1", ID: 1, APIs: []string{"shop"},
			From: now.Add(-time.Hour), To: now.Add(time.Hour),
		})
	}
	return sim
}

// canaryFaults returns all kinds of faults, with secrets in every member of a body at which a
// reader may fail.
func canaryFaults() (faults []simulator.Fault) {
	for _, code := range []int{302, 400, 401, 403, 404, 413, 429, 500, 503} {
		faults = append(faults, simulator.Fault{Kind: simulator.FaultStatus, Code: code, RetryAfter: canarySecret})
	}
	for _, kind := range []string{
		simulator.FaultCut, simulator.FaultAbort, simulator.FaultHTML, simulator.FaultHang,
		simulator.FaultReset, simulator.FaultWrongReport, simulator.FaultGarbage,
	} {
		faults = append(faults, simulator.Fault{Kind: kind})
	}
	faults = append(faults, simulator.Fault{Kind: simulator.FaultStall, Delay: time.Minute})
	for _, body := range []string{
		"TOKEN KEY", `"TOKEN"`, `["TOKEN"]`, "<TOKEN>", "{TOKEN}", `{"TOKEN":"KEY"`, `{"TOKEN" KEY}`,
		`{"message":"TOKEN","date":"KEY"}`,
		`{"name":"TOKEN","TOKEN":"KEY"}`,
		`{"name":TOKEN}`,
		`{"name":"oauth_token_metrics","earlier_date":"TOKEN","later_date":"KEY"}`,
		`{"name":"oauth_token_metrics","summary":"TOKEN"}`,
		`{"name":"oauth_token_metrics","summary":{"TOKEN":"KEY","total_requests":"TOKEN"}}`,
		`{"name":"oauth_token_metrics","details":[{"token":"TOKEN","total_requests":-1}]}`,
		`{"name":"oauth_token_metrics","details":[{"token":"TOKEN"}]}`,
		`{"name":"oauth_token_metrics","details":[{"token":"TOKEN","total_requests":1,"ip_list":[{"ip":"KEY","total_requests":1,"methods":{"TOKEN":1.5}}]}]}`,
		`{"name":"oauth_token_metrics","details":[{"token":"TOKEN","total_requests":1,"ip_list":[{"urls":{"/TOKEN":"KEY"}}]}]}`,
		`{"name":"api_abs_token","summary":{"total_requests":"TOKEN"}}`,
		`{"name":"api_abs_token","attack_types":{"TOKEN":"KEY"}}`,
		`{"name":"api_abs_token","details":{"attack_types":{"TOKEN":{"KEY":1}}}}`,
		`{"name":"api_abs_token","details":{"metrics":{"token":"TOKEN","total_requests":"KEY"}}}`,
		`{"x":[` + strings.Repeat(`"TOKEN",`, 1<<17), // longer than the cap allows
		"{\"name\":\"oauth_token_metrics\",\"x\":" + strings.Repeat(`{"TOKEN":`, 1000),
	} {
		body = strings.NewReplacer("TOKEN", canary+"-plain-0123456789abcdef", "KEY", canarySecret).Replace(body)
		faults = append(faults, simulator.Fault{Kind: simulator.FaultBody, Body: body})
	}
	return faults
}

// canaryReplies returns responses that break HTTP's own rules. ECHO stands for the request, with
// its query and its headers, in one line; LINES for the request as received.
func canaryReplies() []string {
	return []string{
		"ECHO\r\n\r\n",
		"LINES",
		"HTTP/1.1 ECHO\r\n\r\n",
		"HTTP/1.1 2x0 ECHO\r\n\r\n",
		"HTTP/9.9 200 ECHO\r\n\r\n",
		"HTTP/1.1 200 OK\r\nECHO\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: ECHO\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: ECHO\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nECHO\r\n",
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nECHO\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: ECHO\r\nContent-Length: 5\r\n\r\n{",
		"HTTP/1.1 302 ECHO\r\nLocation: https://ECHO/\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 401 ECHO\r\nWWW-Authenticate: ECHO\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 503 ECHO\r\nRetry-After: ECHO\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 ECHO\r\nContent-Length: 4\r\n\r\nECHO ECHO",
	}
}

// echoes is a handler before the simulated ABS that answers calls for a report with the request.
type echoes struct {
	report string

	mu    sync.Mutex
	reply string // empty: the simulated ABS answers
	count int64  // calls that were answered here
}

func (e *echoes) set(reply string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reply = reply
}

// answer is set for calls for a report.
func (e *echoes) answer(report, reply string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report, e.reply = report, reply
}

func (e *echoes) calls() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count
}

// next returns the reply to a call; empty: the simulated ABS answers it.
func (e *echoes) next(r *http.Request) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	path := map[string]string{"oauthtokens": "/v4/abs/oauthtokens", "forensics": "/v4/abs"}[e.report]
	if e.reply == "" || r.URL.Path != path {
		return ""
	}
	e.count++
	return e.reply
}

func (e *echoes) before(abs http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := e.next(r)
		if reply == "" {
			abs.ServeHTTP(w, r)
			return
		}
		asked, err := httputil.DumpRequest(r, false)
		if err != nil {
			panic(err) // a request that was read can be written
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // this is HTTP/1.1
		}
		defer func() { _ = conn.Close() }() // the client sees it
		line := bytes.ReplaceAll(bytes.TrimSpace(asked), []byte("\r\n"), []byte(" "))
		_, _ = strings.NewReplacer("ECHO", string(line), "LINES", string(asked)).WriteString(conn, reply) // likewise
	})
}

// What commands print and write holds neither keys nor tokens, while ABS answers, refuses and
// echoes the request: their help, the report of check, the resolution of a token and of an address,
// errors.
func TestNoSecretInCommands(t *testing.T) {
	t.Parallel()
	sim, echo := canaryABS(), &echoes{}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(canarySecret+" of the token ids\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append(append(startABS(t, sim, echo.before), keyFiles(t, canaryAccess, canarySecret)...),
		"--series.token-key-file="+key, "--log.level=debug", "--abs.rate=1000", "--abs.timeout=2s")
	e := startServe(t, nil, append(flags, "--collect.interval=250ms", "--collect.lookback=1h", "--state.dir=")...)
	id := counted(t, e)[0]
	e.terminate(t)
	for _, command := range []string{"", "serve", "check", "resolve", "backfill", "assets", "simulate", "demo", "healthcheck", "completion"} {
		args := slices.DeleteFunc([]string{command, "--help"}, func(arg string) bool { return arg == "" })
		p := start(t, []string{"ABS_EXPORTER_ABS_ACCESS_KEY=" + canaryAccess, "ABS_EXPORTER_ABS_SECRET_KEY=" + canarySecret}, args...)
		status := p.status(t)
		text := p.stdout.String() + p.stderr.String()
		if searchSecrets(t, fmt.Sprintf("%q", args), text); status != 0 || len(text) < 200 {
			t.Errorf("%q ended with status %d and prints only %s", args, status, text)
		}
	}
	now := time.Now().UTC().Truncate(time.Minute)
	for i, reply := range append([]string{""}, canaryReplies()...) {
		if i%4 != 0 {
			continue // each is five processes; the client's errors are those of serve
		}
		echo.answer([]string{"oauthtokens", "forensics"}[i/4%2], reply)
		bundle := filepath.Join(t.TempDir(), "report.json")
		for _, args := range [][]string{
			{"check", "--report=" + bundle},
			{"resolve", id},
			{"resolve", id, "--output=json"},
			{"resolve", "--ip=192.0.2.1"},
			{
				"backfill", "--from=" + now.Add(-5*time.Hour).Format(time.RFC3339), "--to=" + now.Add(-4*time.Hour).Format(time.RFC3339), "--output=-",
				"--work-dir=" + t.TempDir(), "--label=job=abs", "--label=instance=abs",
			},
		} {
			p := start(t, nil, append(slices.Clone(args), flags...)...)
			if args[0] == "backfill" && reply != "" { // it tries again until ABS answers
				until(t, "it fails or ends", func() bool { return p.hasEnded() || strings.Contains(p.stderr.String(), "abs: oauthtokens: ") })
				_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			}
			status := p.status(t)
			text := p.stdout.String() + p.stderr.String()
			searchSecrets(t, fmt.Sprintf("%q, reply %d", args, i), text)
			if reply == "" && (status != 0 && args[0] == "resolve" || len(text) < 100) {
				t.Errorf("%q ended with status %d and prints only %s", args, status, text)
			}
		}
		text, err := os.ReadFile(bundle)
		if err != nil || len(text) < 100 {
			t.Errorf("the report of check: %v, %s", err, text)
		}
		searchSecrets(t, "the report of check", string(text))
	}
}

// What backfill writes holds neither keys nor tokens: the history, what it keeps of a run that was
// killed, and its log at the highest level.
func TestNoSecretInHistory(t *testing.T) {
	t.Parallel()
	sim := canaryABS()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("the key of the token ids of a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, token := range canaryTokens() {
		for _, ago := range []time.Duration{47 * time.Hour, 5 * time.Hour} {
			sim.Add(simulator.Event{At: time.Now().Add(-ago), Token: token, IP: fmt.Sprintf("192.0.2.%d", i), N: 10})
		}
	}
	work, now := filepath.Join(dir, "work"), time.Now().UTC().Truncate(time.Minute)
	abs := newPausingABS(work)
	args := append(append([]string{
		"backfill", "--from=" + now.Add(-48*time.Hour).Format(time.RFC3339), "--to=" + now.Add(-3*time.Hour).Format(time.RFC3339),
		"--output=" + filepath.Join(dir, "history.om"), "--work-dir=" + work,
		"--series.token-key-file=" + key, "--state.dir=" + filepath.Join(dir, "state"), "--log.level=debug", "--abs.rate=1000",
		"--series.dimensions=method,api,device,ip,url", "--label=job=abs", "--label=instance=abs",
	}, startABS(t, sim, abs.before)...), keyFiles(t, canaryAccess, canarySecret)...)
	killed := start(t, nil, args...)
	until(t, "something is kept", abs.keptParts)
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.status(t)
	kept := contents(t, work)
	close(abs.resumed)
	p := start(t, nil, args...)
	if status := p.status(t); status != 0 {
		t.Fatalf("it ended with status %d", status)
	}
	history, err := os.ReadFile(filepath.Join(dir, "history.om"))
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) < 3 || !strings.Contains(string(history), "abs_token_url_requests_total") {
		t.Errorf("there is too little to search: %d files, %d bytes of history, log:\n%s", len(kept), len(history), p.stderr)
	}
	kept["history.om"] = string(history)
	for name, text := range kept {
		searchSecrets(t, "the file "+name, text)
		searchSecrets(t, "a file's name", name)
	}
	searchSecrets(t, "the log", killed.stderr.String()+p.stderr.String()+p.stdout.String())
}
