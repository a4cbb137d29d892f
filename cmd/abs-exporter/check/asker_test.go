package check

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
)

// Whatever is asked, 40 requests are sent at most: those count that the client sends again, and
// those to the other path of the admin report.
func TestAtMost40Requests(t *testing.T) {
	for _, closes := range []bool{false, true} {
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch n := requests.Add(1); {
			case closes && n%2 == 0: // the connection was used before: the client sends the request again
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.Close()
				}
			case strings.HasSuffix(r.URL.Path, "/admin"):
				http.NotFound(w, r)
			default:
				_, _ = io.WriteString(w, `{"name": "oauth_token_metrics", "summary": {"tokens": 0, "total_requests": 0}, "details": []}`)
			}
		}))
		target := &config.Target{
			ABS:      config.ABS{URL: server.URL, Timeout: time.Minute, Rate: 10_000, Concurrency: 1, ResponseCap: 1000, User: "admin"},
			Location: time.UTC, Keys: abs.StaticKeys("a", "s"),
		}
		a, err := newAsker(target, "test", time.Now, &progress{})
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		for n := range 60 {
			if n%7 == 0 {
				err = a.ask(abs.Window{}, "", func(c *abs.Client) error { _, err := c.Admin(t.Context()); return err })
			} else {
				err = a.tokens(context.Background(), abs.WindowUntil(time.Now(), time.Minute), "", noRow).err
			}
			if errors.Is(err, errCalls) {
				refused++
			}
		}
		if n := requests.Load(); n > 40 || n < 36 || refused == 0 || int64(a.sent) != n {
			t.Errorf("connections are closed %v: %d requests arrived, %d counted; %d calls were refused", closes, n, a.sent, refused)
		}
		a.close()
		server.Close()
	}
}
