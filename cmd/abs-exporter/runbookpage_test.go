package main

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
	handler := testPages(fakeSource{}).handler()
	names, err := fs.Glob(runbooks.FS, "*.md")
	if err != nil || len(names) < 30 {
		t.Fatalf("%d runbooks, %v", len(names), err)
	}
	pages := map[string]string{}
	get := func(address string) string {
		if _, ok := pages[address]; !ok {
			w := request(handler, http.MethodGet, address)
			if w.Code == http.StatusOK {
				pages[address] = w.Body.String()
			}
			if policy := w.Header().Get("Content-Security-Policy"); w.Code == http.StatusOK && !strings.HasPrefix(policy, "default-src 'none'; style-src 'unsafe-inline'") {
				t.Errorf("%s has the policy %q", address, policy)
			}
		}
		return pages[address]
	}
	for _, name := range append(names, "") {
		address := "/runbooks/" + name
		page := get(address)
		if !strings.Contains(page, "<h1 id=") || rawHTML.MatchString(page) {
			t.Errorf("%s:\n%s", address, page)
		}
		if strings.HasPrefix(name, "ABS") && !strings.Contains(page, "<h2 id=\"mitigation\">") {
			t.Errorf("%s has no heading to link to", address)
		}
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			to, fragment, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			switch {
			case to == "data:,", strings.HasPrefix(to, "https://github.com/abs-exporter/abs-exporter/"), strings.HasPrefix(to, "https://docs.pingidentity.com/"):
				continue
			case to == "":
				to = address
			case to == "./":
				to = "/runbooks/"
			default:
				to = path.Join("/runbooks", to)
			}
			if target := get(to); target == "" || fragment != "" && !strings.Contains(target, `id="`+fragment+`"`) {
				t.Errorf("%s links to %s, which does not exist", address, m[1])
			}
		}
	}
}
