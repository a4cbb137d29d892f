package packages

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// dist is where a release was made.
func dist(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DIST")
	if dir == "" {
		t.Skip("no release was made: make test-packages makes one")
	}
	return dir
}

// one returns the one file of dist that fits.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dist(t), pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found[0]
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Six archives, six lists of modules, four packages, and checksums of all of them that are right.
func TestChecksums(t *testing.T) {
	f, err := os.Open(one(t, "*_checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var names []string
	version := regexp.MustCompile(`\d+\.\d+\.\d+([-~]\w+)?(-1)?`)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		content, err := os.ReadFile(filepath.Join(dist(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s: another checksum", name)
		}
		names = append(names, version.ReplaceAllString(name, "V"))
	}
	want := []string{"abs-exporter-V.aarch64.rpm", "abs-exporter-V.x86_64.rpm", "abs-exporter_V_amd64.deb", "abs-exporter_V_arm64.deb"}
	for _, system := range []string{"darwin", "linux", "windows"} {
		for _, processor := range []string{"amd64", "arm64"} {
			archive := map[bool]string{false: ".tar.gz", true: ".zip"}[system == "windows"]
			want = append(want, "abs-exporter_V_"+system+"_"+processor+archive, "abs-exporter_V_"+system+"_"+processor+".cdx.json")
		}
	}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("released:\n%s\nwant:\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

// The list of modules names those that the binary is linked from, with the versions of go.mod.
func TestSBOM(t *testing.T) {
	text, err := os.ReadFile(one(t, "*_windows_arm64.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Metadata   struct{ Component struct{ Version string } }
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(bom.Metadata.Component.Version, "v") {
		t.Errorf("version %q", bom.Metadata.Component.Version)
	}
	versions := map[string]string{}
	for _, c := range bom.Components {
		versions[c.Name] = c.Version
	}
	mod, err := os.ReadFile(filepath.Join(tools.Root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"github.com/prometheus/client_golang", "github.com/alecthomas/kong", "google.golang.org/grpc"} {
		if want := regexp.MustCompile(`(?m)^\t` + regexp.QuoteMeta(name) + ` (\S+)`).FindSubmatch(mod); want == nil || versions[name] != string(want[1]) {
			t.Errorf("%s %q; go.mod has %q", name, versions[name], want)
		}
	}
	if versions["std"] == "" {
		t.Error("the standard library is missing")
	}
}

// An archive has all that the documentation has people copy from it.
func TestArchive(t *testing.T) {
	var names []string
	for name := range strings.Lines(run(t, "tar", "-tzf", one(t, "*_linux_amd64.tar.gz"))) {
		_, name, _ = strings.Cut(strings.TrimSpace(name), "/")
		names = append(names, name)
	}
	for _, want := range []string{
		"abs-exporter", "LICENSE", "CHANGELOG.md", "README.md", "abs-exporter.service", "abs-exporter.yml", "abs-exporter.1.gz",
		"completions/abs-exporter.bash", "completions/abs-exporter.zsh", "completions/abs-exporter.fish",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %q", want, names)
		}
	}
}

// installed is what both packages install.
var installed = []string{
	"/usr/bin/abs-exporter", "/usr/lib/systemd/system/abs-exporter.service", "/etc/abs-exporter/abs-exporter.yml",
	"/usr/share/man/man1/abs-exporter.1.gz", "/usr/share/bash-completion/completions/abs-exporter",
	"/usr/share/fish/vendor_completions.d/abs-exporter.fish", "/usr/share/doc/abs-exporter/CHANGELOG.md",
}

func requireRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("packages are installed by root only")
	}
}

func exists(root, path string) bool {
	_, err := os.Lstat(filepath.Join(root, path))
	return err == nil
}

// The package is installed, runs by its unit, is upgraded, removed and purged.
func TestDeb(t *testing.T) {
	deb := one(t, "*_"+runtime.GOARCH+".deb")
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("dpkg is missing, so the deb is not installed")
	}
	requireRoot(t)
	root := t.TempDir()
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dpkg := func(args ...string) {
		t.Helper()
		run(t, "dpkg", append([]string{"--root=" + root, "--force-script-chrootless"}, args...)...)
	}
	dpkg("--install", deb)
	for _, path := range slices.Concat(installed, []string{"/usr/share/zsh/vendor-completions/_abs-exporter", "/usr/share/doc/abs-exporter/copyright"}) {
		if !exists(root, path) {
			t.Errorf("%s is not installed", path)
		}
	}
	t.Run("serve", func(t *testing.T) { serve(t, root) })

	config := filepath.Join(root, "etc/abs-exporter/abs-exporter.yml")
	changed, err := os.ReadFile(config)
	if err != nil || strings.Contains(string(changed), "abs.example.com") {
		t.Fatalf("the configuration is not changed yet: %v", err)
	}
	dpkg("--install", deb)
	if after, err := os.ReadFile(config); err != nil || string(after) != string(changed) {
		t.Errorf("an upgrade changed the configuration: %v", err)
	}
	const state = "/var/lib/private/abs-exporter/token-id.key"
	dpkg("--remove", "abs-exporter")
	if exists(root, "/usr/bin/abs-exporter") || !exists(root, "/etc/abs-exporter/abs-exporter.yml") || !exists(root, state) {
		t.Error("remove must leave configuration and state, and nothing else")
	}
	dpkg("--purge", "abs-exporter")
	if exists(root, "/etc/abs-exporter/abs-exporter.yml") || exists(root, state) {
		t.Error("purge must remove configuration and state")
	}
}

// The rpm has the same files, and runs by its unit as well.
func TestRPM(t *testing.T) {
	processor := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	rpm := one(t, "*."+processor+".rpm")
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("rpm is missing, so the rpm is not installed")
	}
	requireRoot(t)
	root := t.TempDir()
	// A scratch root has no shell for the scripts. They are those of the deb.
	run(t, "rpm", "--root", root, "--install", "--noscripts", "--nodeps", rpm)
	for _, path := range slices.Concat(installed, []string{"/usr/share/zsh/site-functions/_abs-exporter", "/usr/share/licenses/abs-exporter/LICENSE"}) {
		if !exists(root, path) {
			t.Errorf("%s is not installed", path)
		}
	}
	serve(t, root)
	config := filepath.Join(root, "etc/abs-exporter/abs-exporter.yml")
	changed, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "rpm", "--root", root, "--upgrade", "--replacepkgs", "--noscripts", "--nodeps", rpm)
	if after, err := os.ReadFile(config); err != nil || string(after) != string(changed) {
		t.Errorf("an upgrade changed the configuration: %v", err)
	}
}
