package check

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// A report that begins and does not end in time needs more time; no answer at all needs a way.
func TestReachedTooLate(t *testing.T) {
	for _, answers := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if answers {
				_, _ = io.WriteString(w, `{"name": "oauth_token_metrics", `)
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		}))
		var r reading
		client, err := abs.NewClient(abs.Config{
			URL: server.URL, Keys: abs.StaticKeys("a", "s"), Timeout: 2 * time.Second, Observe: func(c abs.Call) { r.call = c },
		})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		_, r.err = client.Tokens(context.Background(), abs.WindowUntil(now, time.Minute), func(*abs.Row) error { return nil })
		r.call.Duration = 2 * time.Second // whatever the machine is doing
		a := Answer{}
		reachedAnswer(&a, server.URL, "directly", r)
		set := []Setting{{"--abs.timeout", "4s"}}
		if !answers {
			set = nil
		}
		if a.State != Fix || !slices.Equal(a.Set, set) {
			t.Errorf("answers %v: got %+v", answers, a)
		}
		server.CloseClientConnections()
		server.Close()
	}
}
