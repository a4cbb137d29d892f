package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/queries"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// index and shared are the pages that belong to no alert: the table of all, and what several of
// the runbooks lead to.
const (
	index  = "README"
	shared = "contain"
)

// box is what a runbook begins with: what has to be decided, each on a line of its own.
var box = regexp.MustCompile(`^# (\S.*)\n\n> \*\*Contain:\*\* .{5,}\\\n> \*\*Who decides:\*\* .{5,}\\\n> \*\*How long:\*\* .{5,}\n\n`)

var sections = []string{"Meaning", "Impact", "Diagnosis", "Mitigation", "False positives", "How do I know that it is over?"}

// runbook returns the text of a page.
func runbook(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tools.Root(t), "docs", "runbooks", name+".md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runbookNames returns the names of all pages.
func runbookNames(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range glob(t, "docs", "runbooks", "*.md") {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".md"))
	}
	return names
}

// Each alert has a runbook with all its parts, and each runbook an alert.
func TestRunbooks(t *testing.T) {
	table := runbook(t, index)
	known := map[string]bool{index: true, shared: true}
	for _, r := range alertRules(t) {
		known[r.Alert] = true
		text := runbook(t, r.Alert)
		if head := box.FindStringSubmatch(text); head == nil || head[1] != r.Alert {
			t.Errorf("%s.md does not begin with its alert's name and three lines that match %s", r.Alert, box)
		}
		var found []string
		for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
			found = append(found, m[1])
		}
		if !slices.Equal(found, sections) {
			t.Errorf("%s.md has the sections %q instead of %q", r.Alert, found, sections)
		}
		if !strings.Contains(text, "\n```sh\n") && !strings.Contains(text, "\n```promql\n") {
			t.Errorf("%s.md has no command", r.Alert)
		}
		if !strings.Contains(table, "("+r.Alert+".md)") {
			t.Errorf("the index of the runbooks does not name %s", r.Alert)
		}
	}
	if !box.MatchString(runbook(t, shared)) {
		t.Errorf("%s.md does not begin with its title and three lines that match %s", shared, box)
	}
	for _, name := range runbookNames(t) {
		if !known[name] {
			t.Errorf("%s.md is the runbook of no alert", name)
		}
	}
}

var (
	ofBoard = regexp.MustCompile(`(?m)^Board \*\*(.+?)\*\*, panels? (.+)\.$`)
	inBold  = regexp.MustCompile(`\*\*(.+?)\*\*`)
)

// ofPrometheus are alerts about Prometheus itself: no board shows why they fire.
var ofPrometheus = []string{"ABSThresholdsMissing", "ABSWatchdog"}

// Each runbook names a board and panels of it as Grafana shows them. What a title has behind a
// comma may be left out, as the range that a panel shows.
func TestRunbooksNamePanels(t *testing.T) {
	titles := map[string][]string{}
	for _, file := range glob(t, "dashboards", "*.json") {
		var board struct {
			Title  string
			Panels []panel
		}
		read(t, file, &board)
		titles[board.Title] = panelTitles(board.Panels)
	}
	for _, r := range alertRules(t) {
		named := ofBoard.FindAllStringSubmatch(runbook(t, r.Alert), -1)
		if len(named) == 0 && !slices.Contains(ofPrometheus, r.Alert) {
			t.Errorf("%s.md names no panel: it needs a line such as: Board **TITLE**, panel **TITLE**.", r.Alert)
		}
		for _, m := range named {
			for _, name := range inBold.FindAllStringSubmatch(m[2], -1) {
				if !slices.ContainsFunc(titles[m[1]], func(title string) bool { return title == name[1] || strings.HasPrefix(title, name[1]+", ") }) {
					t.Errorf("%s.md names the panel %q, which the board %q does not have; it has %q", r.Alert, name[1], m[1], titles[m[1]])
				}
			}
		}
	}
}

// panel is as much of a panel as has a title; rows have panels too.
type panel struct {
	Title  string
	Panels []panel
}

func panelTitles(panels []panel) (titles []string) {
	for _, p := range panels {
		titles = append(append(titles, p.Title), panelTitles(p.Panels)...)
	}
	return titles
}

var (
	helpFlag   = regexp.MustCompile(`--(?:\[no-\])?([a-z][a-z0-9.-]*)`)
	ourCommand = regexp.MustCompile(`abs-exporter ([a-z]+)\b([^|;>` + "`" + `\n]*)`)
	inCode     = regexp.MustCompile("`--(?:no-)?([a-z][a-z0-9.-]*)")
)

// foreignFlags are flags of other programs in the texts.
var foreignFlags = []string{"web.enable-otlp-receiver", "storage.tsdb.retention.time"}

// Every flag of abs-exporter that a runbook names exists, at the command that it is given to.
func TestRunbooksNameFlags(t *testing.T) {
	t.Parallel()
	flags, all := map[string][]string{}, slices.Clone(foreignFlags)
	for _, command := range []string{"serve", "resolve", "assets", "demo", "simulate"} {
		help, err := exec.Command(tools.Binary(t), command, "--help-long").Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range helpFlag.FindAllStringSubmatch(string(help), -1) {
			flags[command] = append(flags[command], m[1])
		}
		all = append(all, flags[command]...)
	}
	calls := 0
	for _, name := range runbookNames(t) {
		text := strings.ReplaceAll(runbook(t, name), "\\\n", " ")
		for _, m := range ourCommand.FindAllStringSubmatch(text, -1) {
			for _, f := range helpFlag.FindAllStringSubmatch(m[2], -1) {
				calls++
				if !slices.Contains(flags[m[1]], f[1]) {
					t.Errorf("%s.md gives abs-exporter %s the flag --%s, which it does not have", name, m[1], f[1])
				}
			}
		}
		for _, m := range inCode.FindAllStringSubmatch(text, -1) {
			if flag := strings.TrimRight(m[1], "."); !slices.ContainsFunc(all, func(f string) bool { return f == flag || strings.HasPrefix(f, m[1]) && strings.HasSuffix(m[1], ".") }) {
				t.Errorf("%s.md names the flag --%s, which no command has", name, m[1])
			}
		}
	}
	if calls < 10 {
		t.Errorf("only %d flags were looked up", calls)
	}
}

var secretOf = regexp.MustCompile(`\$\([^)]*(KEY_FILE|SECRET_FILE|TOKEN_FILE|PASSWORD)`)

// Keys and tokens go through the shell's own printf, which no process list shows, and curl's
// standard input. ASE's command line has no other way, and contain.md says so.
func TestRunbooksHideSecrets(t *testing.T) {
	lines := 0
	for _, name := range runbookNames(t) {
		for _, block := range inShell.FindAllStringSubmatch(runbook(t, name), -1) {
			for line := range strings.Lines(block[1]) {
				if !secretOf.MatchString(line) {
					continue
				}
				lines++
				if command := strings.TrimSpace(line); !strings.HasPrefix(command, "printf ") && !strings.HasPrefix(command, "/opt/pingidentity/ase/bin/cli.sh ") {
					t.Errorf("%s.md puts a secret on a command line: %s", name, command)
				}
			}
		}
	}
	if lines < 10 {
		t.Errorf("only %d lines were found", lines)
	}
}

var fenced = regexp.MustCompile("(?s)```promql\n(.*?)```")

// The queries of the runbooks are valid as they are written.
func TestRunbookQueriesFitTheTable(t *testing.T) {
	n := 0
	for _, file := range glob(t, "docs", "runbooks", "*.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
			for _, query := range strings.Split(strings.TrimSpace(block[1]), "\n\n") {
				n++
				if err := queries.Check(query); err != nil {
					t.Errorf("%s: %v", filepath.Base(file), err)
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("only %d queries were found", n)
	}
}
