package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// patience is how long a test waits for what comes at once on a machine with nothing else to do.
// Only a test that fails uses it up.
const patience = 2 * time.Minute

// program is the exporter running inside the test.
type program struct {
	stdout, stderr *lines
	stop           context.CancelFunc
	status         chan int
}

// start runs the program until the test ends or stops it.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	p := &program{stdout: newLines(), stderr: newLines(), stop: cancel, status: make(chan int, 1)}
	go func() {
		status := run(ctx, args, p.stdout, p.stderr)
		p.stdout.end()
		p.stderr.end()
		p.status <- status
	}()
	t.Cleanup(func() { p.end(t) })
	return p
}

// end stops the program and returns its exit status.
func (p *program) end(t *testing.T) int {
	t.Helper()
	p.stop()
	select {
	case s := <-p.status:
		p.status <- s
		return s
	case <-time.After(patience):
		t.Fatal("the program does not end")
		return -1
	}
}

// lines is what the program writes; a test can wait for a line.
type lines struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	ended   bool
	changed chan struct{}
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.signal()
	return l.buf.Write(b)
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.signal()
}

func (l *lines) signal() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// find waits for n matches and returns their first groups.
func (l *lines) find(t *testing.T, pattern string, n int) []string {
	t.Helper()
	re, limit := regexp.MustCompile(pattern), time.After(patience)
	for {
		l.mu.Lock()
		text, ended, changed := l.buf.String(), l.ended, l.changed
		l.mu.Unlock()
		var found []string
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		if len(found) >= n {
			return found
		}
		if ended {
			t.Fatalf("the program ended without writing %s; it wrote:\n%s", pattern, text)
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("the program does not write %s; it wrote:\n%s", pattern, text)
		}
	}
}

// listening is what exporter-toolkit logs for each listener.
const listening = `msg="Listening on" address=(\S+)`

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	return send(t, http.MethodGet, url, "")
}

// send returns the status and the body of an answer. Its request names an origin, unless that is
// empty.
func send(t *testing.T, method, url, origin string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if origin != "" {
		req.Header.Set("Origin", origin)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// Against an ABS that only fails, serve still serves all pages on every address, ends with 0, and
// reveals no key.
func TestServe(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	polled := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case polled <- r.Header.Get("User-Agent"):
		default:
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "canary-access canary-secret")
	}))
	t.Cleanup(server.Close)
	state := filepath.Join(dir, "state")
	p := start(t, "--abs.url="+server.URL, "--abs.access-key-file="+dir+"/access", "--abs.secret-key-file="+dir+"/secret",
		"--abs.name=a", "--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0", "--web.probe-address=127.0.0.1:0", "--state.dir="+state, "--log.level=debug")
	addresses := p.stderr.find(t, listening, 3)
	select {
	case ua := <-polled:
		if !strings.HasPrefix(ua, "abs-exporter/") {
			t.Errorf("ABS was polled by %q", ua)
		}
	case <-time.After(patience):
		t.Error("ABS was not polled")
	}
	pages, probes := 0, 0
	for _, a := range addresses {
		if status, _ := fetch(t, "http://"+a+"/healthz"); status != http.StatusOK {
			t.Errorf("%s/healthz: status %d", a, status)
		}
		switch status, body := fetch(t, "http://"+a+"/metrics"); {
		case status == http.StatusOK && strings.Contains(body, "abs_exporter_build_info{"):
			pages++
		case status == http.StatusNotFound:
			probes++
		}
	}
	if pages != 2 || probes != 1 {
		t.Errorf("%d listeners with pages and %d with probes alone, want 2 and 1", pages, probes)
	}
	p.stderr.find(t, `(plain http)`, 1)
	if status := p.end(t); status != exitOK {
		t.Errorf("exit status %d", status)
	}
	if out := p.stdout.String() + p.stderr.String(); strings.Contains(out, "canary") {
		t.Errorf("the log contains a key:\n%s", out)
	}
	if _, err := os.Stat(config.TokenKeyPath(state)); err != nil {
		t.Error(err)
	}
}

// With basic auth, probes on a listener of their own need none.
func TestServeWithAuth(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	web := filepath.Join(dir, "web.yml")
	// A well-formed hash; no test needs its password.
	write(t, web, "basic_auth_users:\n  prometheus: $2y$04$u8Nn3o5mUPtVZYIEnZ9KGecMt9YjA3hJ5u7kI4w9nM4sPZyR2dQ0W\n")
	p := start(t, "--abs.url=http://127.0.0.1:1", "--abs.access-key-file="+dir+"/access", "--abs.secret-key-file="+dir+"/secret",
		"--web.listen-address=127.0.0.1:0", "--web.probe-address=127.0.0.1:0", "--state.dir=", "--web.config.file="+web)
	closed, open := 0, 0
	for _, a := range p.stderr.find(t, listening, 2) {
		switch status, _ := fetch(t, "http://"+a+"/readyz"); status {
		case http.StatusUnauthorized:
			closed++
		case http.StatusOK:
			open++
		}
	}
	if closed != 1 || open != 1 {
		t.Errorf("%d listeners ask for a password and %d don't, want 1 and 1", closed, open)
	}
}

func TestAddressTaken(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, flag := range []string{"web.listen-address", "web.probe-address"} {
		var stdout, stderr bytes.Buffer
		args := []string{
			"--abs.url=http://127.0.0.1:1", "--abs.access-key-file=" + dir + "/access", "--abs.secret-key-file=" + dir + "/secret",
			"--state.dir=" + dir + "/state", "--web.listen-address=127.0.0.1:0", "--log.level=error", fmt.Sprintf("--%s=%s", flag, l.Addr()),
		}
		if status := run(t.Context(), args, &stdout, &stderr); status != exitError {
			t.Errorf("exit status %d", status)
		}
		if out := stderr.String(); !strings.HasPrefix(out, "abs-exporter: error: --"+flag+": ") || !strings.Contains(out, "address already in use") {
			t.Errorf("it says %s", out)
		}
		if _, err := os.Stat(dir + "/state"); err == nil {
			t.Error("the state was touched")
		}
	}
}

// The first curl line that simulate prints works.
func TestSimulate(t *testing.T) {
	cleanEnv(t)
	cert := filepath.Join(t.TempDir(), "abs.pem")
	p := start(t, "simulate", "--simulate.listen-address=127.0.0.1:0", "--simulate.plain-http", "--simulate.cert-file="+cert)
	url := p.stdout.find(t, `-H 'x-abs-sk: abs_sk' '(\S+)'`, 1)[0]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-abs-ak", "abs_ak")
	req.Header.Set("x-abs-sk", "abs_sk")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"name": "oauth_token_metrics"`)) {
		t.Errorf("status %d, %v, %.200s", resp.StatusCode, err, body)
	}
	if text, err := os.ReadFile(cert); err != nil || !bytes.HasPrefix(text, []byte("-----BEGIN CERTIFICATE-----")) {
		t.Errorf("certificate: %v", err)
	}
	if status := p.end(t); status != exitOK {
		t.Errorf("exit status %d: %s", status, p.stderr)
	}
}
