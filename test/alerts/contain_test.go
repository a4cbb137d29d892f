package alerts

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/test/tools"
)

// foreign are programs that cannot run here.
var foreign = regexp.MustCompile(`kubectl|/cli\.sh`)

// silence is one that Alertmanager has.
type silence struct {
	ID       string
	Matchers []struct {
		Name, Value      string
		IsRegex, IsEqual bool
	}
}

// The commands against an attack do what they say: with a simulated ABS, with what PingFederate's
// page says of its endpoint, and with a real Alertmanager.
func TestContain(t *testing.T) {
	t.Parallel()
	sim := newABS(3)
	token := attackers(sim)[0]
	now := time.Now()
	sim.AddAttack(simulator.Attack{Token: token, Type: attackType, ID: 1, APIs: []string{attackAPI}, From: now.Add(-2 * time.Minute), To: now.Add(time.Hour)})
	server, entry := startABS(t, "attacked", sim)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const key, secret = "0123456789abcdef", `a "secret" with \ in it`
	write(t, in("key"), key)
	write(t, in("client-secret"), secret)
	writeYAML(t, in("config"), map[string]any{
		"targets": []any{entry}, "series": map[string]any{"token-key-file": in("key")}, "collect": map[string]any{"slot": "1m", "interval": "1m", "window": "2m"},
	})
	type revocation struct{ path, user, password, token, hint string }
	var revoked []revocation
	pingFederate := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && r.URL.RawQuery == "" {
			revoked = append(revoked, revocation{r.URL.Path, user, password, r.PostFormValue("token"), r.PostFormValue("token_type_hint")})
		}
	}))
	t.Cleanup(pingFederate.Close)
	alertmanager := "http://" + startAlertmanager(t, "http://127.0.0.1:1")
	path := strings.Join([]string{filepath.Dir(tools.Binary(t)), filepath.Dir(tools.Path(t, "amtool")), os.Getenv("PATH")}, string(filepath.ListSeparator))
	env := append(os.Environ(),
		"PATH="+path, "ABS_EXPORTER_CONFIG="+in("config"), "TARGET=attacked", "TOKEN_ID="+tools.TokenID(key, token), "AT="+now.UTC().Format(time.RFC3339),
		"TOKEN_FILE="+in("token"), "ABS="+server.URL, "CURL_TLS=-k", "PINGFEDERATE="+pingFederate.URL, "CLIENT_ID=shop", "CLIENT_SECRET_FILE="+in("client-secret"),
		"ACCESS_KEY_FILE="+entry["access-key-file"].(string), "SECRET_KEY_FILE="+entry["secret-key-file"].(string), "ALERTMANAGER="+alertmanager,
		"ALERT=ABSAttackCritical", "ATTACK_TYPE="+attackType, "API="+attackAPI, "NODE=10.0.0.7",
	)
	run := func(block string) string {
		cmd := exec.Command("sh", "-euc", block)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, block, out)
		}
		if strings.Contains(string(out), token) {
			t.Errorf("the token is printed:\n%s\n%s", block, out)
		}
		return strings.TrimSpace(string(out))
	}
	var got []string
	for _, block := range inShell.FindAllStringSubmatch(runbook(t, shared), -1) {
		if foreign.MatchString(block[1]) || strings.Contains(block[1], "amtool") {
			continue
		}
		got = append(got, run(block[1]))
		if len(got) == 1 {
			if found, err := os.ReadFile(in("token")); err != nil || string(found) != token {
				t.Fatalf("the file has %q instead of the token: %v", found, err)
			}
		}
	}
	// The length of the token, PingFederate's status, that ABS lists the token, and its end.
	if want := []string{strconv.Itoa(len(token)), "200", "1", ""}; !slices.Equal(got, want) {
		t.Errorf("the commands print %q instead of %q", got, want)
	}
	if want := (revocation{"/as/revoke_token.oauth2", "shop", secret, token, "access_token"}); !slices.Equal(revoked, []revocation{want}) {
		t.Errorf("PingFederate received %q instead of %q", revoked, want)
	}
	if _, err := os.Stat(in("token")); !os.IsNotExist(err) {
		t.Errorf("the file with the token is left: %v", err)
	}
	silences(t, alertmanager, run)
}

// silences runs all commands that silence an alert, and looks at what Alertmanager makes of them.
func silences(t *testing.T, alertmanager string, run func(string) string) {
	t.Helper()
	ran := 0
	for _, name := range runbookNames(t) {
		for _, block := range inShell.FindAllStringSubmatch(runbook(t, name), -1) {
			if !strings.Contains(block[1], "amtool silence add") {
				continue
			}
			ran++
			checkSilence(t, name, silenceOf(t, alertmanager, run(block[1])))
		}
	}
	if ran < 5 {
		t.Errorf("only %d silences were tried", ran)
	}
}

// silenceOf returns the silence with an id.
func silenceOf(t *testing.T, alertmanager, id string) silence {
	t.Helper()
	out, err := exec.Command(tools.Path(t, "amtool"), "silence", "query", "--alertmanager.url="+alertmanager, "--output=json").CombinedOutput()
	var found []silence
	if err := errors.Join(err, json.Unmarshal(out, &found)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	i := slices.IndexFunc(found, func(s silence) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("amtool printed %q, and Alertmanager has %s", id, out)
	}
	return found[i]
}

// checkSilence reports a silence that is not for one alert and what the variables say.
func checkSilence(t *testing.T, name string, s silence) {
	t.Helper()
	wanted := map[string]string{"target": "attacked", "api": attackAPI, "attack_type": attackType, "node": "10.0.0.7"}
	alertRules := alertRules(t)
	for _, m := range s.Matchers {
		right := m.Value == wanted[m.Name]
		if m.Name == "alertname" {
			right = slices.ContainsFunc(alertRules, func(r rule) bool { return r.Alert == m.Value }) && (name == shared || m.Value == name)
		}
		if !right || m.IsRegex || !m.IsEqual {
			t.Errorf("%s.md: the silence has the matcher %+v", name, m)
		}
	}
	if len(s.Matchers) < 2 {
		t.Errorf("%s.md: the silence covers all targets: %+v", name, s)
	}
}
