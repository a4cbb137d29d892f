package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// slowScraper reads nothing until it is let go.
type slowScraper struct {
	*httptest.ResponseRecorder
	reading, read chan struct{}
}

func (s *slowScraper) Write(p []byte) (int, error) {
	s.reading <- struct{}{}
	<-s.read
	return s.ResponseRecorder.Write(p)
}

// Scrapers that read nothing do not use up the machine: past the limit, a scrape is refused and
// counted. Once one of them has ended, the next is answered.
func TestMaxRequests(t *testing.T) {
	const limit = 3
	registry := prometheus.NewRegistry()
	e := NewExposition(registry, Options{MaxRequests: limit, Registerer: registry})
	request := func() *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	}
	scrape := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, request())
		return w
	}
	if w := scrape(); w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	slow := &slowScraper{httptest.NewRecorder(), make(chan struct{}, 100), make(chan struct{})}
	ended := make(chan struct{})
	for range limit {
		go func() {
			e.ServeHTTP(&slowScraper{httptest.NewRecorder(), slow.reading, slow.read}, request())
			ended <- struct{}{}
		}()
	}
	for range limit {
		<-slow.reading
	}
	if w := scrape(); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "--web.max-requests allows (3)") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	close(slow.read)
	for range limit {
		<-ended
	}
	w := scrape()
	if w.Code != http.StatusOK {
		t.Errorf("status %d once the others have ended", w.Code)
	}
	if want := `promhttp_metric_handler_requests_total{code="503"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("missing %s in %s", want, w.Body)
	}
}
