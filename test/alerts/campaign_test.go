package alerts

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// TestCampaign runs an exporter, a Prometheus and an Alertmanager, all real, through a campaign:
// one token, then 60, then the exporter goes away, then the attack ends, and the exporter is back.
// What is paged is what the runbooks say, and nothing else. See rulesFaster for what is sped up.
func TestCampaign(t *testing.T) {
	t.Parallel()
	sim := newABS(5)
	var tokens []string
	for i := range 61 {
		tokens = append(tokens, fmt.Sprint("eyJhbGciOiJSUzI1NiJ9.number-", i))
	}
	keepBusy(sim, tokens...)
	_, entry := startABS(t, "attacked", sim)
	in, webhook := startInbox(t)
	address := tools.FreeAddress(t)
	settings := map[string]any{
		"targets": []any{entry},
		"abs":     map[string]any{"rate": 200},
		"collect": map[string]any{
			"interval": "2s", "reread": "2s", "slot": "1m", "window": "1m", "settle": "0s", "max-backfill": "30m",
		},
		"forensics": map[string]any{"rate": 100},
		"admin":     map[string]any{"interval": "2s"},
		"state":     map[string]any{"dir": t.TempDir()},
	}

	exporter := startExporter(t, address, settings)
	prom := startPrometheus(t, address, startAlertmanager(t, webhook))
	until(t, "ABS is read", func() bool { return len(prom.query(`abs_flagged_tokens == 0`)) == 1 })

	const flagged = `sum(abs_attack_tokens{target="attacked"})`
	began := time.Now()
	// At the end of a minute, as in TestPage: a minute later it has left the window.
	end := began.Add(20 * time.Second).Truncate(time.Minute).Add(time.Minute)
	step := func(what string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what) }
	attack := func(tokens ...string) {
		for _, token := range tokens {
			sim.AddAttack(simulator.Attack{
				Token: token, Type: attackType, ID: 1, APIs: []string{attackAPI},
				From: time.Now().Add(-90 * time.Second), To: end, VisibleFrom: time.Now(), ForensicsOnly: true,
			})
		}
	}
	paged := []string{}
	expect := func(what string, messages ...string) {
		t.Helper()
		paged = append(paged, messages...)
		until(t, what, func() bool { return len(in.pages()) >= len(paged) })
		step(what)
		if got := in.pages(); !sameMessages(got, paged) {
			t.Fatalf("%s: paged is\n%s\nand it should be\n%s", what, strings.Join(got, "\n"), strings.Join(paged, "\n"))
		}
	}

	attack(tokens[0])
	expect("one token is a page", "abs-page firing ABSAttackCritical")
	attack(tokens[1:]...)
	until(t, "all tokens are flagged", func() bool { return len(prom.query(flagged+" == 61")) == 1 })
	expect("60 more are one more page", "abs-page firing ABSAttackSpreading")
	exporter.kill()
	expect("an exporter that is gone is a page", "abs-page firing ABSExporterDown")
	until(t, "the attack has ended, and nobody sees it", func() bool { return time.Now().After(end.Add(5 * time.Second)) })
	step("the attack has ended")
	for _, alert := range []string{"ABSAttackCritical", "ABSAttackSpreading"} {
		if _, ok := prom.firing("attacked")[alert]; !ok {
			t.Errorf("%s has ended although nobody knows that the attack has", alert)
		}
	}
	expect("nothing is resolved meanwhile")

	startExporter(t, address, settings)
	expect("all is over", "abs-page resolved ABSExporterDown", "abs-page resolved ABSAttackCritical", "abs-page resolved ABSAttackSpreading")

	for file, says := range map[string]string{
		"ABSAttackSpreading.md": "It fires beside the alert of the attack type",
		"ABSExporterDown.md":    "Alerts about known attacks stay for 12 hours",
		"README.md":             "An attack does not end because nobody sees it",
	} {
		text, err := os.ReadFile(glob(t, "docs", "runbooks", file)[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), says) {
			t.Errorf("%s does not say %q", file, says)
		}
	}
}

// sameMessages compares messages that may be sent in any order where several are expected at once.
func sameMessages(got, want []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want)))
}

// pages returns what was sent, oldest first: receiver, status and alerts. Another message of the
// same group, as when an alert joins it, is none: PagerDuty adds it to the page that is there. The
// heartbeat is none either: it always comes.
func (in *inbox) pages() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []string
	for _, m := range in.messages {
		if m.Receiver == "abs-heartbeat" {
			continue
		}
		names := map[string]bool{}
		for _, a := range m.Alerts {
			names[a.Labels["alertname"]] = true
		}
		line := m.Receiver + " " + m.Status
		for _, a := range m.Alerts {
			if name := a.Labels["alertname"]; names[name] {
				line, names[name] = line+" "+name, false
			}
		}
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}
