package abs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// adminABS answers the paths that it has, and 404 to all others.
type adminABS struct {
	paths    map[string]bool
	requests []string
}

func (a *adminABS) RoundTrip(r *http.Request) (*http.Response, error) {
	a.requests = append(a.requests, r.URL.Path)
	resp := &http.Response{StatusCode: http.StatusNotFound, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
	if r.URL.RawQuery != "" {
		return nil, errors.New("the admin report has no query")
	}
	if a.paths[r.URL.Path] {
		resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"name":"api_admin"}`))
	}
	return resp, nil
}

// The path of the admin report is found out and remembered, until ABS no longer has it there.
func TestAdminPath(t *testing.T) {
	for name, c := range map[string]struct {
		path  string
		has   []string // one for each request for the report; "": 404
		sent  string
		calls int // that are observed as failed
	}{
		"5.x":          {"", []string{"/v5/abs/admin", "/v5/abs/admin"}, "v5 v5", 0},
		"4.4":          {"", []string{"/v4/abs/admin", "/v4/abs/admin"}, "v5 v4 v4", 0},
		"upgraded":     {"", []string{"/v4/abs/admin", "/v5/abs/admin", "/v5/abs/admin"}, "v5 v4 v4 v5 v5", 0},
		"at neither":   {"", []string{"", ""}, "v5 v4 v5 v4", 2},
		"configured":   {"/v6/abs/admin", []string{"/v6/abs/admin"}, "v6", 0},
		"wrongly so":   {"/v6/abs/admin", []string{"/v5/abs/admin"}, "v6", 1},
		"below a path": {"/x/../v6/abs/admin", []string{"/v6/abs/admin"}, "v6", 0},
	} {
		a := &adminABS{}
		var calls, failed int
		config := config("https://abs.example.com")
		config.Transport, config.AdminPath = a, c.path
		config.Observe = func(c Call) {
			calls++
			if c.Err != nil {
				failed++
			}
			if c.Report != ReportAdmin {
				t.Errorf("%s: observed as %s", name, c.Report)
			}
		}
		client := mustClient(t, config)
		for _, has := range c.has {
			a.paths = map[string]bool{has: has != ""}
			_, err := client.Admin(context.Background())
			var e *Error
			if err != nil && (!errors.As(err, &e) || e.Status != http.StatusNotFound || e.Report != ReportAdmin) {
				t.Errorf("%s: %v", name, err)
			}
		}
		sent := strings.ReplaceAll(strings.ReplaceAll(strings.Join(a.requests, " "), "/abs/admin", ""), "/", "")
		if sent != c.sent || calls != len(c.has) || failed != c.calls {
			t.Errorf("%s: requests %s, want %s; %d calls, %d failed, want %d", name, sent, c.sent, calls, failed, c.calls)
		}
	}
}
