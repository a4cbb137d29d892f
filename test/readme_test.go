package test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// newcomer follows pages as they stand, in a directory with the built program.
type newcomer struct {
	dir   string
	env   []string
	edits *strings.Replacer // of what a page says: other ports on a machine that is shared, and shorter times
	// serving are the commands that go on, by how they begin, with the address that each listens on.
	serving map[string]string
	started map[string]bool
}

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	abs, exporter, prometheus := tools.FreeAddress(t), tools.FreeAddress(t), tools.FreeAddress(t)
	n := &newcomer{dir: t.TempDir(), started: map[string]bool{}, serving: map[string]string{
		"bin/abs-exporter simulate ": abs, "bin/abs-exporter --config ": exporter, "prometheus ": prometheus,
	}}
	bin := filepath.Join(n.dir, "bin")
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string]string{
		"abs-exporter": tools.Binary(t), "prometheus": tools.Path(t, "prometheus"), "promtool": tools.Path(t, "promtool"),
	} {
		if err := os.Symlink(program, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	n.env = []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"ABS_EXPORTER_SIMULATE_LISTEN_ADDRESS=" + abs, "ABS_EXPORTER_WEB_LISTEN_ADDRESS=" + exporter,
	}
	n.edits = strings.NewReplacer(
		"make build\n", "",
		"127.0.0.1:8080", abs, "localhost:10464", exporter,
		"prometheus --config", "prometheus --web.listen-address="+prometheus+" --config",
		"2026-11-20T00:00", time.Now().UTC().Add(-5*time.Hour).Format("2006-01-02T15:04"),
		"scrape_interval: 1m", "scrape_interval: 1s",
	)
	return n
}

// block is what a page shows as a whole: commands, or a file to write.
type block struct{ language, file, text string }

// blocks returns those between two headings.
func blocks(t *testing.T, page, from, to string) (all []block) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tools.Root(t), page))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n"+from+"\n")
	text, _, ended := strings.Cut(text, "\n"+to+"\n")
	if !found || !ended {
		t.Fatalf("%s has no text between %s and %s", page, from, to)
	}
	into := regexp.MustCompile("[Ww]rite this into `([^`]*)`")
	for _, found := range regexp.MustCompile("(?ms)^ *```(\\w+)\n(.*?)^ *```$").FindAllStringSubmatchIndex(text, -1) {
		b := block{language: text[found[2]:found[3]], text: text[found[4]:found[5]]}
		before := text[max(0, found[0]-150):found[0]]
		if name := into.FindStringSubmatch(before[strings.LastIndex(before, "```")+1:]); name != nil {
			b.file = name[1]
		}
		all = append(all, b)
	}
	return all
}

// follow writes the file, or runs the commands, the last of which may go on until the test ends. It
// returns what they printed.
func (n *newcomer) follow(t *testing.T, b block) (printed string, err error) {
	t.Helper()
	text := n.edits.Replace(b.text)
	if b.file != "" {
		if err := os.WriteFile(filepath.Join(n.dir, b.file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "", nil
	}
	rest, last := "", strings.TrimSpace(text)
	if at := strings.LastIndex(last, "\n"); at >= 0 {
		rest, last = last[:at+1], last[at+1:]
	}
	address := ""
	for begin, at := range n.serving {
		if strings.HasPrefix(last, begin) {
			address, text = at, rest
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", text)
	cmd.Dir, cmd.Env = n.dir, append(os.Environ(), n.env...)
	out, err := cmd.CombinedOutput()
	if address != "" && !n.started[address] {
		n.started[address] = true
		startCommand(t, n.env, "sh", "-c", "cd '"+n.dir+"' && exec "+last)
		until(t, last+" listens", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close() // only whether it is open matters
			}
			return err == nil
		})
	}
	return string(out), err
}

// The README and the page about history run as they stand, one block after the other: commands and
// files, with a simulated ABS in place of one's own, and a real Prometheus.
func TestPagesRunAsTheyStand(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	all := append(blocks(t, "README.md", "## A first real configuration", "## Limits, and what is not known of ABS"),
		blocks(t, "docs/backfill.md", "## Step by step", "## What is written")...)
	// What a command prints, by a word of it. Each has to be on the pages.
	prints := map[string]string{
		"abs-exporter check":   "1 to fix, 0 unknown",
		"abs-exporter resolve": "token id   ",
		"backfill":             "history written",
		"openssl":              "sha256 Fingerprint=",
		"create-blocks-from":   "BLOCK ULID",
	}
	seen := map[string]bool{}
	for _, b := range all {
		if strings.HasPrefix(b.text, "make stack") || b.language == "yaml" && b.file == "" {
			continue // it has tests of its own; no file
		}
		if strings.Contains(b.text, "resolve") {
			until(t, "there is an attack to look into", func() bool { return strings.Contains(n.metrics(t), "\nabs_token_attack_active{") })
		}
		printed, err := n.follow(t, b)
		if failed := err != nil; failed != strings.Contains(b.text, "abs-exporter check") { // it finds default keys
			t.Fatalf("%s: %v\n%s", b.text, err, printed)
		}
		for word, want := range prints {
			if strings.Contains(b.text, word) {
				seen[word] = true
				if !strings.Contains(printed, want) {
					t.Errorf("%s does not print %q:\n%s", b.text, want, printed)
				}
			}
		}
	}
	if len(seen) != len(prints) {
		t.Errorf("the pages have only %v", seen)
	}
	prometheus := &exporter{url: "http://" + n.serving["prometheus "] + "/"}
	until(t, "Prometheus has scraped the exporter", func() bool {
		return strings.Contains(prometheus.get(t, "api/v1/query?query=abs_up"), `,"1"]`)
	})
	check := exec.CommandContext(t.Context(), tools.Path(t, "promtool"), "check", "config", filepath.Join(n.dir, "data/prometheus.yml"))
	if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), "rules found") {
		t.Errorf("with the rules: %v\n%s", err, out)
	}
}

func (n *newcomer) metrics(t *testing.T) string {
	t.Helper()
	e := &exporter{url: fmt.Sprintf("http://%s/", n.serving["bin/abs-exporter --config "])}
	return e.get(t, "metrics")
}
