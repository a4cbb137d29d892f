package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

const patience = 120 * time.Second

// nobody is the user that the service runs as here.
const nobody = 65534

// execStart returns the arguments of a unit's command, with the variables that systemd would set.
func execStart(t *testing.T, unit string, variables map[string]string) []string {
	t.Helper()
	text := strings.ReplaceAll(unit, "\\\n", "")
	line := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(text)
	if line == nil {
		t.Fatalf("the unit has no ExecStart:\n%s", unit)
	}
	return strings.Fields(os.Expand(line[1], func(name string) string {
		value, ok := variables[name]
		if !ok {
			t.Errorf("the unit uses the variable %s", name)
		}
		return value
	}))
}

// inRoot starts a command of a scratch root as nobody, and sees nothing but that root.
func inRoot(t *testing.T, root string, args ...string) (stdout, stderr *tools.Output, process *os.Process) {
	t.Helper()
	stdout, stderr = tools.NewOutput(), tools.NewOutput()
	cmd := &exec.Cmd{
		Path: args[0], Args: args, Dir: "/", Env: []string{}, Stdout: stdout, Stderr: stderr,
		SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", strings.Join(args, " "), err)
		}
		if t.Failed() {
			t.Logf("%s\n%s\n%s", strings.Join(args, " "), stdout, stderr)
		}
	})
	return stdout, stderr, cmd.Process
}

// serve runs what is installed in a root as its unit says, on a simulated ABS that runs from there,
// too: keys from credentials, the configuration as its comments say to complete it, state in the
// state directory. A scrape must be answered with what ABS reported, and a reload must be done.
func serve(t *testing.T, root string) {
	t.Helper()
	unit, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system/abs-exporter.service"))
	if err != nil {
		t.Fatal(err)
	}
	sim, _, _ := inRoot(t, root, "/usr/bin/abs-exporter", "simulate", "--simulate.listen-address=127.0.0.1:0")
	url := sim.Find(t, patience, `simulated ABS at (https://\S+)`)
	fingerprint := sim.Find(t, patience, `fingerprint of its certificate: (\S+)`)

	config := filepath.Join(root, "etc/abs-exporter/abs-exporter.yml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for old, fresh := range map[string]string{
		"https://abs.example.com:8080": url,
		"# fingerprint: 5D:E4:2B:…":    "fingerprint: " + fingerprint,
		`listen-address: [":10464"]`:   `listen-address: ["127.0.0.1:0"]`,
	} {
		if strings.Count(string(text), old) != 1 {
			t.Fatalf("the configuration does not have %q once:\n%s", old, text)
		}
		text = []byte(strings.Replace(string(text), old, fresh, 1))
	}
	state, credentials := "/var/lib/private/abs-exporter", "/run/credentials/abs-exporter.service"
	write := func(path, content string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(root, path), []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{state, credentials} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/abs-exporter/abs-exporter.yml", string(text), 0o644)
	write(credentials+"/access-key", "abs_ak\n", 0o400)
	write(credentials+"/secret-key", "abs_sk\n", 0o400)
	for _, path := range []string{state, credentials + "/access-key", credentials + "/secret-key"} {
		if err := os.Chown(filepath.Join(root, path), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	args := execStart(t, string(unit), map[string]string{"STATE_DIRECTORY": state, "CREDENTIALS_DIRECTORY": credentials})
	_, log, process := inRoot(t, root, args...)
	page := "http://" + log.Find(t, patience, `Listening on.*?address\W+([0-9.]+:[0-9]+)`) + "/metrics"
	tools.Until(t, patience, "ABS is polled", func() bool {
		return regexp.MustCompile(`(?m)^abs_up\{.*\} 1$`).MatchString(tools.Get(t, page))
	})
	if _, err := os.Stat(filepath.Join(root, state, "token-id.key")); err != nil {
		t.Errorf("the state directory of the unit is not used: %v", err)
	}
	if !strings.Contains(string(unit), "ExecReload=/bin/kill -HUP $MAINPID") {
		t.Error("the unit reloads otherwise than this test")
	}
	if err := process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log.Find(t, patience, `(configuration reloaded)`)
}
