package abs

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A call shows the response behind it, of an error too, and the tap gets its body.
func TestExchange(t *testing.T) {
	const refused, report = `{"message": "no"}`, `{"name": "oauth_token_metrics", "summary": {"tokens": 0, "total_requests": 0}, "details": []}`
	date := time.Date(2026, time.November, 25, 10, 0, 0, 0, time.UTC)
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		w.Header().Set("Date", date.Format(http.TimeFormat))
		if r.URL.Path != "/v4/abs/oauthtokens" {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, refused)
			return
		}
		_, _ = io.WriteString(w, report)
	}))
	t.Cleanup(server.Close)
	var call Call
	var body bytes.Buffer
	c, err := NewClient(Config{
		URL: server.URL, Keys: StaticKeys("a", "s"), Rate: 1000, AnyWindow: true, Observe: func(c Call) { call = c },
		Tap: func(string) io.Writer { body.Reset(); return &body },
	})
	if err != nil {
		t.Fatal(err)
	}
	inverted := Window{From: date, To: date.Add(-time.Hour)}
	if _, err := c.Tokens(t.Context(), inverted, func(*Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if call.Status != http.StatusOK || call.Requests != 1 || !call.Clock.Date.Equal(date) || call.Clock.Received.IsZero() || body.String() != report {
		t.Errorf("got %+v, tapped %q", call, &body)
	}
	if want := "later_date=2026-11-25T09:00&earlier_date=2026-11-25T10:00"; query != want {
		t.Errorf("an inverted window is requested as %s, want %s", query, want)
	}
	if _, err := c.Admin(t.Context()); err == nil || call.Status != http.StatusTeapot || body.String() != refused {
		t.Errorf("%v: got %+v, tapped %q", err, call, &body)
	}
	if call.Requests != 1 {
		t.Errorf("%d requests, want 1: only a 404 leads to the other path", call.Requests)
	}
}

// The sum of two adjoining windows less their union shows what later_date is.
func TestWindowEndOf(t *testing.T) {
	for _, c := range []struct {
		difference int64
		set, want  WindowEnd
		explained  bool
	}{
		{0, Exclusive, Exclusive, true},
		{0, Inclusive, Inclusive, true},
		{7, Exclusive, Inclusive, true},
		{-7, Inclusive, Exclusive, true},
		{-7, Exclusive, Exclusive, false},
		{7, Inclusive, Inclusive, false},
	} {
		if got, explained := WindowEndOf(c.difference, c.set); got != c.want || explained != c.explained {
			t.Errorf("%d, set to %v: %v, %v", c.difference, c.set, got, explained)
		}
	}
}
