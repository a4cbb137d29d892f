package main

import (
	"bytes"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// The exit status of check says whether something is to be fixed, and of wrong flags that nothing
// was asked.
func TestCheckStatus(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	sim := simulator.New(simulator.Config{Tokens: 5, Rate: 120, AccessKey: "canary-access", SecretKey: "canary-secret"})
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	shipped := t.TempDir()
	write(t, filepath.Join(shipped, "access"), "abs_ak\n")
	write(t, filepath.Join(shipped, "secret"), "abs_sk\n")
	for _, test := range []struct {
		name   string
		args   []string
		status int
		stderr string
	}{
		{"sound", []string{"--offline"}, exitOK, ""},
		{"all well", nil, exitOK, ""},
		{"keys as shipped", []string{"--offline", "--abs.access-key-file=" + shipped + "/access", "--abs.secret-key-file=" + shipped + "/secret"}, exitError, "abs-exporter: error: something is to be fixed\n"},
		{"wrong configuration", []string{"--offline", "--collect.slot=7m"}, exitUsage, "abs-exporter: error: --collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 7m0s\n"},
		{"a report of nothing", []string{"--offline", "--report=x"}, exitUsage, "abs-exporter: error: --report: has nothing to report beside --offline\n"},
		{"a report over a file", []string{"--report=" + dir + "/access"}, exitUsage, "abs-exporter: error: --report: " + dir + "/access exists, and is not overwritten\n"},
	} {
		before := sim.Stats().Calls["oauthtokens"]
		args := append([]string{
			"check", "--abs.url=" + server.URL, "--abs.rate=1000", "--abs.access-key-file=" + dir + "/access", "--abs.secret-key-file=" + dir + "/secret",
		}, test.args...)
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), args, &stdout, &stderr)
		if status != test.status || stderr.String() != test.stderr || (status == exitUsage) != (stdout.Len() == 0) {
			t.Errorf("%s: exit status %d, %s%s", test.name, status, &stdout, &stderr)
		}
		if asked := sim.Stats().Calls["oauthtokens"] > before; asked != (test.name == "all well") {
			t.Errorf("%s: ABS was asked: %v", test.name, asked)
		}
		if strings.Contains(stdout.String(), "canary") {
			t.Errorf("%s: a key is in the output: %s", test.name, &stdout)
		}
	}
}
