package packages

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

func TestMain(m *testing.M) { os.Exit(tools.Main(m)) }

// analyze runs systemd-analyze on the unit, with this program in place of the installed one.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing, so the unit is not analyzed")
	}
	version, err := exec.Command(program, "--version").Output()
	if number := regexp.MustCompile(`systemd (\d+)`).FindSubmatch(version); err != nil || number == nil {
		t.Fatalf("systemd-analyze --version: %v\n%s", err, version)
	} else if n, _ := strconv.Atoi(string(number[1])); n < 250 {
		t.Skipf("systemd %d analyzes no unit that is not installed: 250 is needed", n)
	}
	unit, err := os.ReadFile(filepath.Join(tools.Root(t), "packaging", "abs-exporter.service"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(unit), "ExecStart=/usr/bin/abs-exporter", "ExecStart="+os.Args[0])
	path := filepath.Join(t.TempDir(), "abs-exporter.service")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, append(args, path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// systemd warns of keys and sections that it does not know, and ignores them otherwise: a
// misspelled one would harden nothing.
func TestUnitIsValid(t *testing.T) {
	if out := analyze(t, "verify", "--man=no"); out != "" {
		t.Errorf("systemd warns:\n%s", out)
	}
}

// What stays open is what an exporter needs: the network, the root directory with its
// configuration, and /proc for the metrics of the process. 10 is an unprotected service, 1.1 is
// what the unit has.
func TestUnitIsHardened(t *testing.T) {
	out := analyze(t, "security", "--offline=true", "--threshold=12")
	var open []string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "✗" {
			open = append(open, fields[1])
		}
	}
	want := "RootDirectory=/RootImage= RestrictAddressFamilies=~AF_(INET|INET6) ProcSubset= PrivateNetwork= DeviceAllow= IPAddressDeny="
	if got := strings.Join(open, " "); got != want {
		t.Errorf("open: %s\nwant: %s", got, want)
	}
}

// The unit's command runs the binary of this checkout with the configuration beside it.
func TestUnitRuns(t *testing.T) {
	requireRoot(t)
	root := t.TempDir()
	for path, source := range map[string]string{
		"usr/bin/abs-exporter":                        tools.Binary(t),
		"usr/lib/systemd/system/abs-exporter.service": filepath.Join(tools.Root(t), "packaging/abs-exporter.service"),
		"etc/abs-exporter/abs-exporter.yml":           filepath.Join(tools.Root(t), "packaging/abs-exporter.yml"),
	} {
		path = filepath.Join(root, path)
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, root)
}
