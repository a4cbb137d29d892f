package pages

import (
	"html"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/docs/runbooks"
)

var (
	link    = regexp.MustCompile(`href="([^"]+)"`)
	rawHTML = regexp.MustCompile(`(?i)raw HTML omitted|<script|<img|onerror`)
)

// Every runbook is a page whose links lead somewhere: to another runbook and a heading of it, to
// the status page, or to a page of the project or of the vendor.
func TestRunbookPages(t *testing.T) {
	names, err := fs.Glob(runbooks.FS, "*.md")
	if err != nil || len(names) < 30 {
		t.Fatalf("%d runbooks, %v", len(names), err)
	}
	for _, name := range append(names, "") {
		page := runbookPage(t, "/runbooks/"+name)
		if !strings.Contains(page, "<h1 id=") || rawHTML.MatchString(page) {
			t.Errorf("%s:\n%s", name, page)
		}
		if strings.HasPrefix(name, "ABS") && !strings.Contains(page, `<h2 id="mitigation">`) {
			t.Errorf("%s has no heading to link to", name)
		}
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			to, fragment, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			switch {
			case to == "data:,", strings.HasPrefix(to, "https://github.com/abs-exporter/abs-exporter/"), strings.HasPrefix(to, "https://docs.pingidentity.com/"):
				continue
			case to == "":
				to = "/runbooks/" + name
			case to == "./":
				to = "/runbooks/"
			default:
				to = path.Join("/runbooks", to)
			}
			if target := runbookPage(t, to); target == "" || fragment != "" && !strings.Contains(target, `id="`+fragment+`"`) {
				t.Errorf("%s links to %s, which does not exist", name, m[1])
			}
		}
	}
}

// runbookPage returns a page, or nothing where there is none.
func runbookPage(t *testing.T, address string) string {
	t.Helper()
	w := request(testPages(fakeSource{}).Handler(), http.MethodGet, address)
	if w.Code != http.StatusOK {
		return ""
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; style-src 'unsafe-inline'") {
		t.Errorf("%s has the policy %q", address, policy)
	}
	return w.Body.String()
}

// What has to be decided is three lines in a box.
func TestRunbookBox(t *testing.T) {
	page := runbookPage(t, "/runbooks/ABSAttackCritical.md")
	if !regexp.MustCompile(`(?s)<blockquote>\s*<p><strong>Contain:</strong> [^\n]*<br>\n<strong>Who decides:</strong> [^\n]*<br>\n<strong>How long:</strong> [^\n]*</p>\s*</blockquote>`).MatchString(page) {
		t.Errorf("%s", page)
	}
}
