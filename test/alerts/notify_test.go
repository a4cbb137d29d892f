package alerts

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

var update = flag.Bool("update", false, "write the golden files anew")

// posted is an alert as Prometheus sends it.
type posted struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// firingAlert returns an alert that began at a time and has not ended.
func firingAlert(begin time.Time, severity, name, summary, board string, labels map[string]string) posted {
	p := posted{
		Labels: map[string]string{"alertname": name, "severity": severity, "target": "prod"},
		Annotations: map[string]string{
			"summary": summary, "description": "The description of " + summary + ".",
			"runbook_url": "https://example.com/runbooks/" + name + ".md", "dashboard_url": "https://grafana.example.com/d/" + board,
		},
		StartsAt: begin, EndsAt: begin.Add(time.Hour),
	}
	for k, v := range labels {
		p.Labels[k] = v
	}
	return p
}

// lasts is how long the alerts last.
const lasts = 2 * time.Second

// over returns the alert as it ended.
func over(p posted) posted {
	p.EndsAt = p.StartsAt.Add(lasts)
	return p
}

// atNine replaces the times of alerts that began at a time by those of alerts from nine to half
// past nine. Links begin an hour before and end an hour after.
func atNine(begin time.Time) *strings.Replacer {
	nine := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	halfPast, end := nine.Add(30*time.Minute), begin.Add(lasts)
	ms := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	return strings.NewReplacer(
		begin.Format(time.RFC3339), nine.Format(time.RFC3339), end.Format(time.RFC3339), halfPast.Format(time.RFC3339),
		ms(begin.Add(-time.Hour)), ms(nine.Add(-time.Hour)), ms(end.Add(time.Hour)), ms(halfPast.Add(time.Hour)))
}

// TestNotifications: what PagerDuty and Slack receive from the pinned Alertmanager with the example
// and its texts. Only addresses and secrets are replaced, and the times to wait.
func TestNotifications(t *testing.T) {
	t.Parallel()
	theft := map[string]string{"attack_type": "Data Exfiltration Attack Type 1", "attack_id": "1", "category": "data_theft"}
	on := func(labels map[string]string, api string) map[string]string {
		out := map[string]string{"api": api}
		for k, v := range labels {
			out[k] = v
		}
		return out
	}
	memory := map[string]string{"attack_type": "API Memory Attack Type 2 (50 % + x)", "attack_id": "6", "category": "denial_of_service", "api": "shop"}
	const board = "abs-exporter-overview?var-target=prod"
	sent, address := startPagers(t)
	alertmanager := startExample(t, address)
	// Not before now: Alertmanager sends what began longer ago than group_wait one by one.
	begin := time.Now().UTC().Truncate(time.Second).Add(time.Second)
	var alerts []posted
	for _, api := range []string{"shop", "search", "cart"} {
		alerts = append(alerts, firingAlert(begin, "critical", "ABSAttackCritical", "Data Exfiltration Attack Type 1 against API "+api+" – from 7 tokens (prod)", board, on(theft, api)))
	}
	alerts = append(
		alerts,
		firingAlert(begin, "critical", "ABSAttackSpreading", "Data Exfiltration Attack Type 1 against API shop is spreading – from 60 tokens (prod)", board, on(theft, "shop")),
		firingAlert(begin, "critical", "ABSAttackSpreading", "Attacks are spreading – from 67 tokens (prod)", board, nil),
		firingAlert(begin, "warning", "ABSAttackWarning", "API Memory Attack Type 2 (50 % + x) against API shop – from 1 token (prod)", board, memory),
		firingAlert(begin, "critical", "ABSKeysRefused", "ABS at prod refuses the exporter's keys for forensics", "abs-exporter-health?var-target=prod", map[string]string{"report": "forensics"}),
		firingAlert(begin, "critical", "ABSTimeZoneMismatch", "The time zone of ABS at prod is Asia/Kolkata", "abs-exporter-health?var-target=prod", nil),
		firingAlert(begin, "warning", "ABSClockSkew", "The clocks of ABS at prod and of the exporter differ by 2m 0s", "abs-exporter-health", nil),
	)

	post(t, alertmanager, alerts)
	until(t, "all that fires is sent", func() bool { return len(sent.all()) >= 5 })
	var ended []posted
	for _, a := range alerts {
		ended = append(ended, over(a))
	}
	time.Sleep(time.Until(begin.Add(lasts)))
	post(t, alertmanager, ended)
	until(t, "all that is resolved is sent", func() bool { return len(sent.all()) >= 10 })

	got := []byte(atNine(begin).Replace(strings.Join(sent.all(), "")))
	const file = "testdata/notifications.txt"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is sent (go test ./alerts -run Notifications -update):\n%s", file, got)
	}
}

// startExample runs the pinned Alertmanager on the example; PagerDuty and Slack are an address.
func startExample(t *testing.T, pagers string) (address string) {
	t.Helper()
	dir := t.TempDir()
	var config map[string]any
	read(t, filepath.Join(tools.Root(t), "alerts", "alertmanager.yml"), &config)
	delete(config, "global") // the mail server
	config["templates"] = []string{filepath.Join(tools.Root(t), "alerts", "abs-exporter.tmpl")}
	write(t, filepath.Join(dir, "key"), "a-routing-key")
	write(t, filepath.Join(dir, "slack"), pagers+"/slack")
	for _, r := range config["receivers"].([]any) {
		receiver := r.(map[string]any)
		delete(receiver, "email_configs")
		delete(receiver, "webhook_configs")
		if c, ok := receiver["pagerduty_configs"].([]any); ok {
			pagerduty := c[0].(map[string]any)
			pagerduty["url"], pagerduty["routing_key_file"] = pagers+"/pagerduty", filepath.Join(dir, "key")
		}
		if c, ok := receiver["slack_configs"].([]any); ok {
			c[0].(map[string]any)["api_url_file"] = filepath.Join(dir, "slack")
		}
	}
	sooner(config["route"].(map[string]any))
	file := filepath.Join(dir, "alertmanager.yml")
	writeYAML(t, file, config)
	address = tools.FreeAddress(t)
	tools.Start(t, patience, "http://"+address+"/-/ready", tools.Path(t, "alertmanager"), "--config.file="+file, "--storage.path="+dir,
		"--web.listen-address="+address, "--web.external-url=https://alertmanager.example.com", "--web.route-prefix=/", "--cluster.listen-address=", "--log.level=warn")
	return address
}

// sooner lets a route and those below wait for a second, as all alerts of a message are posted at
// once.
func sooner(route map[string]any) {
	route["group_wait"], route["group_interval"] = "1s", "1s"
	children, _ := route["routes"].([]any)
	for _, child := range children {
		sooner(child.(map[string]any))
	}
}

func post(t *testing.T, alertmanager string, alerts []posted) {
	t.Helper()
	text, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Post("http://"+alertmanager+"/api/v2/alerts", "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // only its status counts
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("Alertmanager answers %s", resp.Status)
	}
}

// pagers keeps what PagerDuty and Slack receive.
type pagers struct {
	mu   sync.Mutex
	sent []string
}

func startPagers(t *testing.T) (*pagers, string) {
	p := &pagers{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		var out bytes.Buffer
		if err == nil {
			err = json.Indent(&out, text, "", "  ")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		// As a person reads it: with its line breaks.
		readable := strings.NewReplacer(`\n`, "\n    ", `\u0026`, "&", `\"`, `"`).Replace(out.String())
		p.sent = append(p.sent, "--- "+strings.TrimPrefix(r.URL.Path, "/")+"\n"+readable+"\n")
		if r.URL.Path == "/pagerduty" {
			w.WriteHeader(http.StatusAccepted)
		}
		_, _ = io.WriteString(w, "ok") // Alertmanager reads the status
	}))
	t.Cleanup(server.Close)
	return p, server.URL
}

// all returns what was received, in an order that does not depend on time.
func (p *pagers) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.sent))
}
