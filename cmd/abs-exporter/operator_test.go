package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// SIGHUP reads the configuration again and does not end the process; doubtful settings are logged
// at the start; the status page shows what is polled and how.
func TestServeForTheOperator(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	t.Setenv("ABS_EXPORTER_ABS_TIMEZONE", "Asia/Kolkata")
	t.Setenv("ABS_EXPORTER_ABS_TIMEZON", "UTC")
	p := start(t, "--abs.url=http://127.0.0.1:1/base", "--abs.access-key-file="+dir+"/access", "--abs.secret-key-file="+dir+"/secret",
		"--web.listen-address=127.0.0.1:0", "--state.dir=", "--collect.settle=30m")
	address := p.stderr.find(t, listening, 1)[0]
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.stderr.find(t, `msg="configuration reloaded" trigger=SIGHUP targets=1 added=(0) updated=0 removed=0`, 1)
	p.stderr.find(t, `msg="doubtful setting" (setting=\S+)`, 4) // at the start, and by the reload
	status, body := fetch(t, "http://"+address+"/")
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"127.0.0.1:1, zone Asia/Kolkata, where it is ", "&#43;05:30; window end exclusive", "<td>collect.settle</td><td>30m</td>", "(from ABS_EXPORTER_ABS_TIMEZONE)"} {
		if !strings.Contains(body, want) {
			t.Errorf("the status page lacks %q:\n%s", want, body)
		}
	}
	// Without --web.enable-lifecycle nobody else can.
	if status, text := post(t, "http://"+address+"/-/reload", ""); status != http.StatusForbidden || text != "not enabled: start serve with --web.enable-lifecycle\n" {
		t.Errorf("a reload over HTTP: status %d, %s", status, text)
	}
	if text := body + p.stderr.String(); strings.Contains(text, "canary") {
		t.Errorf("a key is shown:\n%s", text)
	}
}

// A log in JSON has nothing but JSON in it, also where the settings are wrong or the start fails.
func TestFatalErrorsInJSON(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, test := range map[string]struct {
		args   []string
		env    string
		status int
		errors int
	}{
		"by flag":        {[]string{"--log.format=json", "--abs.rate=0", "--series.max-values=0"}, "", exitUsage, 2},
		"in two words":   {[]string{"--log.format", "json", "--collect.slot=x"}, "", exitUsage, 1},
		"by variable":    {[]string{"--no-such-flag"}, "json", exitUsage, 1},
		"by file":        {[]string{"--config=DIR/json.yml", "--abs.rate=0"}, "", exitUsage, 1},
		"at run time":    {[]string{"--log.format=json", "--log.level=error", "--web.listen-address=" + taken.Addr().String()}, "", exitError, 1},
		"with a command": {[]string{"resolve", "0123456789abcdef", "--log.format=json"}, "", exitError, 1},
	} {
		t.Run(name, func(t *testing.T) {
			cleanEnv(t)
			dir := keyFiles(t)
			write(t, filepath.Join(dir, "json.yml"), "log: {format: json}\n")
			write(t, filepath.Join(dir, "token.key"), "0123456789abcdef")
			if test.env != "" {
				t.Setenv("ABS_EXPORTER_LOG_FORMAT", test.env)
			}
			args := append(test.args, "--abs.url=https://127.0.0.1:1", "--abs.access-key-file=DIR/access", "--abs.secret-key-file=DIR/secret",
				"--state.dir=", "--series.token-key-file=DIR/token.key")
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "DIR", dir)
			}
			var stdout, stderr bytes.Buffer
			if status := run(t.Context(), args, &stdout, &stderr); status != test.status || stdout.Len() > 0 {
				t.Errorf("exit status %d, %s", status, &stdout)
			}
			lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
			if len(lines) != test.errors {
				t.Errorf("%d lines, want %d", len(lines), test.errors)
			}
			for _, line := range lines {
				var entry struct{ Level, Err string }
				if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level != "ERROR" || entry.Err == "" {
					t.Errorf("%v: %s", err, line)
				}
			}
		})
	}
}
