package alerts

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

const (
	attackType = "Data Exfiltration Attack Type 1"
	attackAPI  = "shop"
)

func newABS(seed uint64) *simulator.Simulator {
	return simulator.New(simulator.Config{Seed: seed, Tokens: 40, Rate: 240, Immediate: true})
}

// attackers returns two tokens that are never without requests for long, as the simulator's own
// are: a window is a minute here, and an attack leaves it with its token.
func attackers(sim *simulator.Simulator) [2]string {
	tokens := [2]string{"eyJhbGciOiJSUzI1NiJ9.the-first-of-them", "eyJhbGciOiJSUzI1NiJ9.the-second-of-them"}
	keepBusy(sim, tokens[:]...)
	return tokens
}

// keepBusy lets tokens make requests for ten minutes.
func keepBusy(sim *simulator.Simulator, tokens ...string) {
	now := time.Now()
	for at := now.Add(-3 * time.Minute); at.Before(now.Add(10 * time.Minute)); at = at.Add(5 * time.Second) {
		for _, token := range tokens {
			sim.Add(simulator.Event{At: at, Token: token, IP: "192.0.2.1", Device: "LINUX", Method: "GET", URL: "/shop/list", API: attackAPI, N: 1})
		}
	}
}

// TestPage runs an exporter, a Prometheus and an Alertmanager, all real, on two simulated ABS: one
// finds an attack, the other ends. It lasts some three minutes, as the pinned programs run in real
// time; see rulesFaster for what is sped up. The rules are the same whether Prometheus scrapes or
// is pushed to.
func TestPage(t *testing.T) {
	t.Parallel()
	t.Run("scraped", func(t *testing.T) {
		t.Parallel()
		page(t, false)
	})
	t.Run("pushed", func(t *testing.T) {
		t.Parallel()
		page(t, true)
	})
}

func page(t *testing.T, pushed bool) {
	attacked, gone := newABS(1), newABS(2)
	attackedServer, attackedEntry := startABS(t, "attacked", attacked)
	goneServer, goneEntry := startABS(t, "gone", gone)
	tokens := attackers(attacked)
	in, webhook := startInbox(t)
	state := t.TempDir()
	settings := map[string]any{
		"targets": []any{attackedEntry, goneEntry},
		"abs":     map[string]any{"rate": 100, "timeout": "2s"},
		"collect": map[string]any{
			"interval": "2s", "reread": "2s", "slot": "1m", "window": "1m", "settle": "0s", "max-backfill": "1m",
		},
		"forensics": map[string]any{"rate": 50},
		"admin":     map[string]any{"interval": "2s"},
		"state":     map[string]any{"dir": state},
	}
	alertmanager := startAlertmanager(t, webhook)
	exporterAddress := tools.FreeAddress(t)
	var prom *prometheus
	var exporter exporter
	if pushed {
		prom = startPrometheus(t, "", alertmanager)
		settings["otlp"] = map[string]any{"endpoint": prom.url + "/api/v1/otlp", "protocol": "http/protobuf", "logs": false, "interval": "1s"}
		exporter = startExporter(t, exporterAddress, settings)
	} else {
		exporter = startExporter(t, exporterAddress, settings)
		prom = startPrometheus(t, exporterAddress, alertmanager)
	}
	until(t, "both are read", func() bool {
		return len(prom.query(`abs_up == 1 and on (target) abs_exporter_forensics_oldest_age_seconds`)) == 2
	})
	if found := prom.query(`ALERTS{alertstate="firing", alertname!="ABSWatchdog"}`); len(found) > 0 {
		t.Errorf("alerts before the attack and the outage: %v", found)
	}

	go goneAway(goneServer)
	t.Run("an attack is one page", func(t *testing.T) {
		anAttack(t, attacked, tokens, exporter.address, prom, in, func(t *testing.T, tokenID, at string) {
			runbooks(t, prom, []string{
				"PATH=" + filepath.Dir(exporter.binary) + string(filepath.ListSeparator) + os.Getenv("PATH"),
				"PROMETHEUS=" + prom.url, "EXPORTER=http://" + exporter.address, "ABS=" + attackedServer.URL,
				"ABS_EXPORTER_CONFIG=" + exporter.config, "STATE_DIR=" + state, "LOG=" + exporter.log,
				"TARGET=attacked", "TOKEN_ID=" + tokenID, "AT=" + at, "CURL_TLS=-k",
				"ACCESS_KEY_FILE=" + attackedEntry["access-key-file"].(string), "SECRET_KEY_FILE=" + attackedEntry["secret-key-file"].(string),
			})
		})
	})
	t.Run("an ABS that goes away is one page", func(t *testing.T) { anOutage(t, prom, in, alertmanager) })

	// The join of the severity relies on this.
	if lost := prom.query(`count_over_time(abs_attack_tokens[10m]) unless on (target, attack_type) count_over_time(abs_attack_type_info[10m])`); len(lost) > 0 {
		t.Errorf("without an info: %v", lost)
	}
}

// goneAway ends an ABS: its port refuses connections.
func goneAway(server *httptest.Server) {
	server.CloseClientConnections()
	server.Close()
}

// anAttack adds an attack of two tokens, and calls during while it lasts.
func anAttack(t *testing.T, sim *simulator.Simulator, tokens [2]string, exporter string, prom *prometheus, in *inbox, during func(t *testing.T, tokenID, at string)) {
	visible := time.Now()
	// Forensics windows are full minutes: the attack began in the last one, and ends at the end of
	// one, so that it has left the window of a minute one minute later.
	end := visible.Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
	attack := simulator.Attack{
		Token: tokens[0], Type: attackType, ID: 1, APIs: []string{attackAPI},
		From: visible.Add(-90 * time.Second), To: end, VisibleFrom: visible, ForensicsOnly: true,
	}
	sim.AddAttack(attack)

	const pair = `target="attacked",attack_type="` + attackType + `",api="` + attackAPI + `"`
	until(t, "the exporter serves the attack", func() bool {
		page, err := fetch("http://" + exporter + "/metrics")
		return err == nil && strings.Contains(string(page), "abs_attack_tokens{"+pair+"} 1\n")
	})
	asked := time.Now()
	until(t, "Prometheus has the attack", func() bool { return len(prom.query("abs_attack_tokens{"+pair+"} > 0")) > 0 })
	var scraped float64
	if err := json.Unmarshal([]byte(strings.Trim(string(prom.query("timestamp(abs_attack_tokens{" + pair + "})")[0].Value[1]), `"`)), &scraped); err != nil {
		t.Fatal(err)
	}
	stored := time.UnixMilli(int64(scraped * 1000))
	until(t, "the page", func() bool { return len(in.about("attacked")) > 0 })
	page := in.about("attacked")[0]
	fired := page.Alerts[0].StartsAt
	t.Logf("from the attack being visible in ABS to the page: %.1f s", page.At.Sub(visible).Seconds())
	t.Logf("  forensics reads its token        %4.1f s   here every token every 2 s; by default up to 10 min for 6,000 tokens (docs/forensics.md)", asked.Sub(visible).Seconds())
	t.Logf("  Prometheus has it                %4.1f s   here a scrape a second, or pushed at once", max(0, stored.Sub(asked).Seconds()))
	t.Logf("  the rule fires                   %4.1f s   here an evaluation a second; attacks have no \"for\"", max(0, fired.Sub(stored).Seconds()))
	t.Logf("  Alertmanager waits and sends     %4.1f s   here a group_wait of 2 s; 30 s as shipped", page.At.Sub(fired).Seconds())

	if page.Receiver != "abs-page" || page.Status != "firing" || len(page.Alerts) != 1 {
		t.Fatalf("the page is %s", page.Text)
	}
	a := page.Alerts[0]
	for label, want := range map[string]string{
		"alertname": "ABSAttackCritical", "severity": "critical", "target": "attacked", "attack_type": attackType, "api": attackAPI,
	} {
		if a.Labels[label] != want {
			t.Errorf("the page's label %s is %q instead of %q", label, a.Labels[label], want)
		}
	}
	for annotation, want := range map[string]string{
		"summary":       `^Data Exfiltration Attack Type 1 against API shop – from 1 token \(attacked\)$`,
		"description":   `ABS's id of the type: 1; category: data_theft\. Token ids \(the busiest five at most\): [0-9a-f]{16}\..*resolves 15 minutes after.*\(1m 0s\)`,
		"runbook_url":   `/docs/runbooks/ABSAttackCritical\.md$`,
		"dashboard_url": `^https://grafana\.example\.com/d/abs-exporter-api\?var-datasource=default&var-target=attacked&var-api=shop$`,
	} {
		if !regexp.MustCompile(want).MatchString(a.Annotations[annotation]) {
			t.Errorf("the page's %s is %q", annotation, a.Annotations[annotation])
		}
	}
	if strings.Contains(string(page.Text), tokens[0]) {
		t.Error("the page contains the token itself")
	}
	text := rendered(t, page)
	t.Logf("as Slack and email have it:\n%s", text)

	attack.Token, attack.VisibleFrom = tokens[1], time.Now()
	sim.AddAttack(attack)
	until(t, "Prometheus has the second token", func() bool { return len(prom.query("abs_attack_tokens{"+pair+"} == 2")) > 0 })
	// As somebody would copy them from the page.
	during(t, regexp.MustCompile(`Token ids [^:]*: ([0-9a-f]{16})`).FindStringSubmatch(text)[1], regexp.MustCompile(`Since (\S+)\.\n`).FindStringSubmatch(text)[1])
	until(t, "the attack is over", func() bool { return len(prom.query("abs_attack_tokens{"+pair+"} == 0")) > 0 })
	over := time.Now()
	if n := len(in.about("attacked")); n != 1 {
		t.Errorf("%d messages while the attack lasted, with a second token: it should be one", n)
	}
	until(t, "the resolved message", func() bool { return len(in.about("attacked")) > 1 })
	resolved := in.about("attacked")[1]
	if resolved.Status != "resolved" || len(resolved.Alerts) != 1 || resolved.Alerts[0].Labels["alertname"] != "ABSAttackCritical" {
		t.Errorf("the second message is %s", resolved.Text)
	}
	t.Logf("resolved %.1f s after the end in ABS: %.1f s until the window has passed, %.1f s keep_firing_for and group_interval",
		resolved.At.Sub(end).Seconds(), over.Sub(end).Seconds(), resolved.At.Sub(over).Seconds())
	if n := len(in.about("attacked")); n != 2 {
		t.Errorf("%d messages in all: there should be two", n)
	}
}

// follow are the alerts that follow from an ABS that is gone, within the time of the test.
var follow = []string{"ABSReportStale", "ABSSlotsMissed"}

func anOutage(t *testing.T, prom *prometheus, in *inbox, alertmanager string) {
	until(t, "what follows from an ABS that is gone fires", func() bool {
		firing := prom.firing("gone")
		for _, name := range append(follow, "ABSUnreachable") {
			if _, ok := firing[name]; !ok {
				return false
			}
		}
		return true
	})
	var known []struct {
		Labels map[string]string `json:"labels"`
		Status struct {
			InhibitedBy []string `json:"inhibitedBy"`
		} `json:"status"`
	}
	until(t, "Alertmanager inhibits what follows", func() bool {
		text, err := fetch("http://" + alertmanager + "/api/v2/alerts?filter=target%3Dgone")
		if err != nil || json.Unmarshal(text, &known) != nil {
			return false
		}
		inhibited := 0
		for _, a := range known {
			if slices.Contains(follow, a.Labels["alertname"]) && len(a.Status.InhibitedBy) > 0 {
				inhibited++
			}
		}
		return inhibited >= len(follow)
	})
	messages := in.about("gone")
	if len(messages) != 1 {
		var texts []string
		for _, m := range messages {
			texts = append(texts, string(m.Text))
		}
		t.Fatalf("%d messages about an ABS that is gone: there should be one\n%s", len(messages), strings.Join(texts, "\n"))
	}
	page := messages[0]
	if page.Receiver != "abs-page" || len(page.Alerts) != 1 || page.Alerts[0].Labels["alertname"] != "ABSUnreachable" {
		t.Errorf("the page is %s", page.Text)
	}
	t.Logf("one page, ABSUnreachable, while these fire: %s", strings.Join(slices.Sorted(maps.Keys(prom.firing("gone"))), ", "))
}

// rendered returns a message as alerts/abs-exporter.tmpl renders it.
func rendered(t *testing.T, m message) string {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data.json")
	write(t, data, string(m.Text))
	text := amtool(t, "template", "render",
		"--template.glob="+filepath.Join(tools.Root(t), "alerts", "abs-exporter.tmpl"),
		`--template.text={{ template "abs.title" . }}{{ "\n" }}{{ template "abs.text" . }}`, "--template.data="+data)
	for _, want := range []string{
		"[CRITICAL] " + attackType, "Severity critical. Since " + m.Alerts[0].StartsAt.UTC().Truncate(time.Second).Format(time.RFC3339) + ".\n",
		"Runbook: https://", "Dashboard: https://",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: the text lacks %q", fmt.Sprint(m.Receiver), want)
		}
	}
	return text
}

var inShell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// shell precedes the commands of a runbook. In a pipe only the last status counts, as a grep that
// finds nothing is no failure; but curl has to succeed anywhere in a pipe. That its end of a pipe
// is closed is a failure too.
const shell = `curl() { command curl "$@" || { status=$?; echo "curl ended with status $status" >>"$CURL_FAILURES"; return $status; }; }
`

// answered are the runbooks whose queries all have data while one ABS finds an attack and the other
// is gone. In the others an empty result may be the good case.
var answered = []string{
	"ABSAttackCritical.md", "ABSThresholdsMissing.md", "ABSNoNewRequests.md", "ABSReportStale.md", "ABSRequestsUnattributed.md",
	"ABSSeriesOverflow.md", "ABSSlotsMissed.md", "ABSStateNotSaved.md", "ABSUnreachable.md", "ABSWindowStale.md",
}

// runbooks runs the commands and queries of every runbook, as somebody on call would while the
// attack lasts.
func runbooks(t *testing.T, prom *prometheus, env []string) {
	t.Helper()
	env = append(append(os.Environ(), env...), "CURL_FAILURES="+filepath.Join(t.TempDir(), "curl-failures"))
	commands, resolved := 0, 0
	for _, file := range glob(t, "docs", "runbooks", "ABS*.md") {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
			for _, query := range strings.Split(strings.TrimSpace(block[1]), "\n\n") {
				if slices.Contains(answered, name) {
					// Counters increase a cycle after the gauges.
					until(t, name+" has data for "+query, func() bool { return len(prom.query(query)) > 0 })
				} else if len(prom.query(query)) == 0 {
					t.Logf("%s: nothing for %s", name, query)
				}
			}
		}
		for _, block := range inShell.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(block[1], "amtool silence add") {
				continue // TestContain runs these: here they would silence what is waited for
			}
			if runCommands(t, name, block[1], env) {
				commands++
				resolved += min(1, strings.Count(block[1], resolveCommand))
			}
		}
	}
	if commands < 10 || resolved < 3 {
		t.Errorf("%d blocks of commands were run, %d of them looked the token up", commands, resolved)
	}
}

const resolveCommand = "abs-exporter resolve"

// runCommands runs one block of a runbook, unless it needs curl and there is none. The last
// variable of the environment names the file of curl's failures.
func runCommands(t *testing.T, name, block string, env []string) bool {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil && strings.Contains(block, "curl ") {
		t.Logf("%s: not run, as there is no curl:\n%s", name, block)
		return false
	}
	cmd := exec.Command("sh", "-euc", shell+block)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s\n%s", name, err, block, out)
	}
	_, curlFailures, _ := strings.Cut(env[len(env)-1], "=")
	if failures, err := os.ReadFile(curlFailures); err == nil {
		t.Errorf("%s: %s%s\n%s", name, failures, block, out)
		if err := os.Remove(curlFailures); err != nil {
			t.Fatal(err)
		}
	}
	// Now, and at the time of the alert.
	if found, calls := strings.Count(string(out), attackType), strings.Count(block, resolveCommand); found < calls {
		t.Errorf("%s: the token is looked up %d times, and the attack is printed %d times:\n%s\n%s", name, calls, found, block, out)
	}
	if testing.Verbose() {
		t.Logf("%s\n%s%s", name, block, out)
	}
	return true
}
