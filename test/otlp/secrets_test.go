package otlp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// canary is in every secret of this test, and nowhere else.
const canary = "c4n4ry"

func secrets() []string {
	return []string{
		canary + "-plain-0123456789abcdef",
		canary + "+/==&token=" + canary,
		canary + ` "quoted"\{},` + "\n" + canary,
		"access-" + canary + "-k", "secret-" + canary + "-k", "Bearer " + canary + "-header",
	}
}

// All that the Collector writes of metrics, events and the process's own log, while ABS
// goes wrong and answers with what it was asked, is searched for tokens and keys.
func TestNoSecretReachesTheCollector(t *testing.T) {
	t.Parallel()
	all := secrets()
	tokens, access, secret, header := all[:3], all[3], all[4], all[5]
	sim := simulator.New(simulator.Config{AccessKey: access, SecretKey: secret, Immediate: true})
	now := time.Now()
	for i, token := range tokens {
		sim.Add(simulator.Event{At: now.Add(-20 * time.Minute), Token: token, IP: fmt.Sprintf("192.0.2.%d", i), N: 10})
		sim.AddAttack(simulator.Attack{
			Token: token, Type: "Data Exfiltration Attack Type 1", ID: 1, APIs: []string{"shop"},
			From: now.Add(-time.Hour), To: now.Add(time.Hour),
		})
	}
	abs := httptest.NewTLSServer(sim.Handler())
	t.Cleanup(func() {
		abs.CloseClientConnections()
		abs.Close()
	})
	sum := sha256.Sum256(abs.Certificate().Raw)
	c := startCollector(t)
	e := &output{}
	cmd := exec.Command(build(t), "serve", "--abs.url="+abs.URL, "--abs.name=shop", "--abs.tls.fingerprint="+hex.EncodeToString(sum[:]),
		"--collect.interval=1s", "--collect.reread=1s", "--collect.lookback=1h", "--forensics.rate=100", "--abs.timeout=500ms",
		"--web.listen-address=127.0.0.1:0", "--state.dir=", "--log.level=debug", "--otlp.interval=1s")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "ABS_EXPORTER_ABS_ACCESS_KEY="+access, "ABS_EXPORTER_ABS_SECRET_KEY="+secret,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://"+c.grpc, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization="+url.PathEscape(header), "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
	cmd.Stdout, cmd.Stderr = e, e
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill(cmd)
		if t.Failed() {
			t.Logf("it said:\n%s", e)
		}
	})

	until(t, "the Collector has metrics and an event", func() bool {
		text := c.out.String()
		for _, want := range []string{
			"Name: abs_token_requests_total", "EventName: abs.attack.began", "SeverityText: ERROR",
			"Attack began: Data Exfiltration Attack Type 1 on shop, token id ", "attack_type: Str(Data Exfiltration Attack Type 1)",
			"msg", "service.name: Str(abs-exporter)", "service.instance.id: Str(", "service.version: Str(", "deployment.environment.name: Str(test)",
		} {
			if want != "msg" && !strings.Contains(text, want) {
				return false
			}
		}
		return true
	})
	for _, fault := range []simulator.Fault{
		{Kind: simulator.FaultStatus, Code: http.StatusUnauthorized, RetryAfter: secret},
		{Kind: simulator.FaultBody, Body: `{"name":"` + tokens[0] + `","` + secret + `":`},
		{Kind: simulator.FaultHang},
		{Kind: simulator.FaultAbort},
	} {
		before := strings.Count(e.String(), `msg="report failed"`)
		if err := sim.SetFaults(fault); err != nil {
			t.Fatal(err)
		}
		until(t, "the log has "+fault.Kind, func() bool {
			return strings.Count(e.String(), `msg="report failed"`) > before+1
		})
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	until(t, "the last of the log is there", func() bool { return strings.Contains(e.String(), "ended") })
	for place, text := range map[string]string{"the Collector": c.out.String(), "the log": e.String()} {
		for _, s := range append(secrets(), canary) {
			for _, form := range []string{
				s, hex.EncodeToString([]byte(s)), url.QueryEscape(s), url.PathEscape(s), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="),
			} {
				if at := strings.Index(strings.ToLower(text), strings.ToLower(form)); at >= 0 {
					t.Errorf("%s has a secret: …%q…", place, text[max(0, at-150):min(len(text), at+len(form)+50)])
				}
			}
		}
	}
}

// build makes the binary under test from this checkout as it is now.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "abs-exporter")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/abs-exporter")
	cmd.Dir = tools.Root(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building abs-exporter: %v\n%s", err, bytes.TrimSpace(out))
	}
	return path
}
