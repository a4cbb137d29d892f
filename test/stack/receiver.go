package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// receiver prints what Alertmanager sends; the path is the name of its receiver.
type receiver struct {
	mu  sync.Mutex
	out io.Writer
}

// message is a webhook message of Alertmanager's, version 4.
type message struct {
	Alerts []alert `json:"alerts"`
}

type alert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var m message
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 16<<20)).Decode(&m); err != nil {
		http.Error(w, "no message of Alertmanager's: "+err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = io.WriteString(r.out, m.text(strings.TrimPrefix(req.URL.Path, "/"), time.Now())) // without a terminal nobody reads the page
}

// text returns the message as a person on call reads it.
func (m message) text(receiver string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s: %s\n", now.Format(time.TimeOnly), receiver)
	for _, a := range m.Alerts {
		status, when := strings.ToUpper(a.Labels["severity"]), a.StartsAt
		if a.Status == "resolved" {
			status, when = "RESOLVED", a.EndsAt
		}
		fmt.Fprintf(&b, "[%s] %s\n  %s\n  since      %s\n", status, a.Annotations["summary"], strings.TrimSpace(a.Annotations["description"]), when.Format(time.RFC3339))
		for _, link := range [][2]string{{"runbook", a.Annotations["runbook_url"]}, {"dashboard", a.Annotations["dashboard_url"]}} {
			if link[1] != "" {
				fmt.Fprintf(&b, "  %-10s %s\n", link[0], link[1])
			}
		}
	}
	b.WriteByte('\n')
	return b.String()
}
