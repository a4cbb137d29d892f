package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// plain returns the page as a terminal shows it, or fails.
func plain(t *testing.T) string {
	t.Helper()
	reference, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is missing, so the page cannot be rendered")
	}
	cmd := exec.Command("groff", "-Kutf8", "-t", "-man", "-Tutf8", "-ww", "-rLL=100n", "-P-cbou")
	cmd.Stdin = strings.NewReader(string(page(string(reference))))
	var warnings strings.Builder
	cmd.Stderr = &warnings
	text, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Fatalf("groff: %v\n%s", err, warnings.String())
	}
	return string(text)
}

// joined leaves out all white space: a line may end within a setting.
func joined(text string) string { return strings.Join(strings.Fields(text), "") }

// Every flag of the reference is an entry of the page, with its meaning, variable and key, and
// nothing is left of Markdown or of HTML.
func TestPage(t *testing.T) {
	text := plain(t)
	words := joined(text)
	reference, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := regexp.MustCompile("(?m)^\\| `(--[^`]+)`(?:<br>`([A-Z_]+)`)?(?:<br>`([^`]+)`)? \\|[^|]*\\|[^|]*\\| ([A-Z][^`|\\\\]{0,24}[a-z]) ").FindAllStringSubmatch(string(reference), -1)
	if len(flags) < 100 {
		t.Fatalf("%d flags in the reference", len(flags))
	}
	for _, f := range flags {
		for _, want := range f[1:] {
			if !strings.Contains(words, joined(want)) {
				t.Errorf("%s: %q is not on the page", f[1], want)
			}
		}
	}
	for _, want := range []string{"NAME abs-exporter - metrics", "SYNOPSIS", "serve Poll every target", "docs/connection.md", "Variable: ABS_EXPORTER_ABS_URL. Key: abs: {url: …}.", "SEE ALSO", "- name: production"} {
		if !strings.Contains(words, joined(want)) {
			t.Errorf("%q is not on the page", want)
		}
	}
	for _, bad := range []string{"<br>", "<!--", "```", "**", "](", "|---"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is on the page", bad)
		}
	}
}
