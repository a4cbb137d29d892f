package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// The exit status of resolve says whether something was found, and of wrong flags that nothing was
// asked.
func TestResolveStatus(t *testing.T) {
	sim, flags := startABS(t, simulator.Config{})
	const token = "canary-token-that-is-looked-for"
	at := time.Now().Add(-6 * time.Hour).Truncate(time.Hour)
	sim.Add(simulator.Event{At: at.Add(-10 * time.Minute), Token: token, API: "shop", IP: "192.0.2.7", N: 7})
	flags = slices.Clip(flags)
	isFingerprint := func(flag string) bool { return strings.HasPrefix(flag, "--abs.tls.fingerprint=") }
	id := tokenid.Key(tokenIDKey).ID([]byte(token)).String()
	unsafe := append(slices.DeleteFunc(slices.Clone(flags), isFingerprint), "--abs.tls.insecure-skip-verify", id)
	for _, test := range []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string
	}{
		{"a token", append(flags, id), exitOK, "token id   " + id, ""},
		{"an address", append(flags, "--ip=192.0.2.7"), exitOK, id + "  7 of its 7 requests", ""},
		{"an unsafe setting", unsafe, exitOK, id, `msg="unsafe setting" target=test`},
		{"none", append(flags, "0123456789abcdef"), exitError, "", "abs-exporter: error: target test: no token with the id 0123456789abcdef"},
		{"no id", append(flags, "_other"), exitUsage, "", "abs-exporter: error: [<token-id>]: _other stands for all tokens"},
	} {
		args := append([]string{"resolve", "--at=" + at.Format(time.RFC3339)}, test.args...)
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), args, &stdout, &stderr)
		if status != test.status || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("%s: exit status %d, %s%s", test.name, status, &stdout, &stderr)
		}
		if (stdout.Len() > 0) != (test.stdout != "") || (stderr.Len() > 0) != (test.stderr != "") {
			t.Errorf("%s: prints %q, says %q", test.name, &stdout, &stderr)
		}
		if strings.Contains(stdout.String()+stderr.String(), token) {
			t.Errorf("%s: the token is in the output: %s%s", test.name, &stdout, &stderr)
		}
	}
}
