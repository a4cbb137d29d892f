package main

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// post posts to a page, as a page of another site would if origin is not empty.
func post(t *testing.T, url, origin string) (int, string) {
	t.Helper()
	return send(t, http.MethodPost, url, origin)
}

// A reload over HTTP: a broken file changes nothing and says why; a good one adds, changes and
// removes targets, and names what takes effect at a restart.
func TestReloadOverHTTP(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	write(t, filepath.Join(dir, "access"), "abs_ak\n")
	write(t, filepath.Join(dir, "secret"), "abs_sk\n")
	server := httptest.NewServer(simulator.New(simulator.Config{Seed: 1, Tokens: 5, Rate: 600, Immediate: true}).Handler())
	t.Cleanup(server.Close)
	file := filepath.Join(dir, "abs-exporter.yml")
	const keys = "abs: {access-key-file: access, secret-key-file: secret}\n"
	target := func(name, rest string) string {
		return "  - {name: " + name + ", url: " + server.URL + "/" + name + rest + "}\n"
	}
	configure := func(text string) { write(t, file, keys+strings.ReplaceAll(text, "DIR", dir)) }
	server.Config.Handler = http.StripPrefix("/stays", server.Config.Handler) // the others answer 404

	configure("state: {dir: state}\ntargets:\n" + target("stays", "") + target("leaves", ""))
	p := start(t, "--config="+file, "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle")
	base := "http://" + p.stderr.find(t, listening, 1)[0]
	p.stderr.find(t, `msg="first report read" target=(stays)`, 1)
	has := func(want ...string) {
		t.Helper()
		_, body := fetch(t, base+"/metrics")
		for _, w := range want {
			present := strings.Contains(body, strings.TrimPrefix(w, "!"))
			if present == strings.HasPrefix(w, "!") {
				t.Errorf("%s: present: %t", w, present)
			}
		}
	}
	has("\nabs_exporter_config_last_reload_successful 1\n", `abs_exporter_slots{state="open",target="leaves"}`)

	configure("targets:\n" + target("stays", ", collect: {slot: 7m}"))
	status, body := post(t, base+"/-/reload", "")
	const wrong = "abs-exporter.yml:3: key targets[0].collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 7m0s\n"
	if want := "configuration not reloaded; the former configuration stays in effect:\n" + dir + "/" + wrong; status != http.StatusBadRequest || body != want {
		t.Errorf("status %d: %s\nwant %s", status, body, want)
	}
	p.stderr.find(t, `level=ERROR .*msg="configuration not reloaded" trigger="POST /-/reload" err="\S+/(abs-exporter.yml:3): key targets\[0\].collect.slot: must be`, 1)
	has("\nabs_exporter_config_last_reload_successful 0\n", `abs_exporter_slots{state="open",target="leaves"}`)

	configure("state: {dir: elsewhere}\nweb: {telemetry-path: /other}\nlog: {level: debug}\ntargets:\n" +
		target("stays", ", labels: {env: prod}") + target("new", ", labels: {env: test}"))
	status, body = post(t, base+"/-/reload", "")
	if want := "configuration reloaded\n--state.dir: takes effect at a restart\n--web.telemetry-path: takes effect at a restart\n"; status != http.StatusOK || body != want {
		t.Errorf("status %d: %s\nwant %s", status, body, want)
	}
	p.stderr.find(t, `msg="configuration reloaded" trigger="POST /-/reload" targets=(2) added=1 updated=1 removed=1`, 1)
	p.stderr.find(t, `msg="setting takes effect at a restart" setting=(--state.dir|--web.telemetry-path)`, 2)
	has("\nabs_exporter_config_last_reload_successful 1\n", `!target="leaves"`, `abs_exporter_slots{state="open",target="new",env="test"}`)
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); !os.IsNotExist(err) {
		t.Errorf("another state directory: %v", err)
	}
	if status, page := fetch(t, base+"/"); status != http.StatusOK || !strings.Contains(page, "targets[1].labels") {
		t.Errorf("the status page does not show the new settings:\n%s", page)
	}

	status, body = fetch(t, base+"/config")
	for _, want := range []string{
		"\n    telemetry-path: /metrics # default; changed since, takes effect at a restart\n",
		"\n    level: debug # " + dir + "/abs-exporter.yml:4: key log.level\n",
		"\n      name: new # ",
	} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("status %d: /config lacks %q:\n%s", status, want, body)
		}
	}
	if strings.Index(body, "\nstate:") > strings.Index(body, "\nweb:") || strings.Contains(body, "elsewhere") {
		t.Errorf("/config is out of order, or shows a state directory that is not in use:\n%s", body)
	}

	write(t, filepath.Join(dir, "secret"), "") // a file that the configuration names
	if status, body := post(t, base+"/-/reload", ""); status != http.StatusBadRequest || strings.Contains(body, "abs_ak") {
		t.Errorf("status %d: %s", status, body)
	}
	if status, _ := post(t, base+"/-/reload", "https://evil.example.com"); status != http.StatusForbidden {
		t.Errorf("a page of another site: status %d", status)
	}
	if status, _ := fetch(t, base+"/-/reload"); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", status)
	}
	if status := p.end(t); status != exitOK {
		t.Errorf("exit status %d", status)
	}
}

// A changed file is read once it stands still: one that is replaced as a link, as Kubernetes does
// with a mounted ConfigMap, one that is written in steps, and one that is gone. Each is tried once.
func TestChangeOfTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, version := range []string{"one", "two"} {
			if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, version, "abs-exporter.yml"), version)
		}
		link := func(from, to string) {
			if err := errors.Join(os.Symlink(to, filepath.Join(dir, "new")), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, from))); err != nil {
				t.Fatal(err)
			}
		}
		link("..data", "one")
		link("abs-exporter.yml", "..data/abs-exporter.yml")

		c, err := collector.New(nil, collector.Environment{Key: []byte("0123456789abcdef"), Clock: collector.SystemClock{}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		log := newLines()
		path := filepath.Join(dir, "abs-exporter.yml")
		r := newReloader(&config.Settings{}, metrics.NewReloads(prometheus.NewRegistry()), nil, promslog.NewLevel(), collector.SystemClock{},
			slog.New(slog.NewTextHandler(log, nil)))
		r.collector, r.file = c, path
		r.tried = r.fileSum()
		r.seen = r.tried
		var mu sync.Mutex // synctest orders what the reloader did before, and not what it does after
		var read []string
		r.parse = func() (*config.Settings, error) {
			text, err := os.ReadFile(path)
			mu.Lock()
			defer mu.Unlock()
			read = append(read, string(text))
			return &config.Settings{FileSum: r.fileSum()}, err
		}
		hangup := make(chan os.Signal, 1)
		go r.run(t.Context(), hangup)
		expect := func(what string, want ...string) {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(read, "; "); got != strings.Join(want, "; ") {
				t.Errorf("%s: it read %q, want %q", what, got, want)
			}
		}
		expect("no change")
		link("..data", "two")
		expect("another version is mounted", "two")
		time.Sleep(watchEvery / 2) // between two looks
		for _, part := range []string{"th", "thr", "thre", "three"} {
			write(t, filepath.Join(dir, "two", "abs-exporter.yml"), part)
			time.Sleep(watchEvery)
		}
		expect("it is written in steps", "two", "three")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		expect("it is gone", "two", "three", "")
		if text := log.String(); !strings.Contains(text, "no such file or directory") || !strings.Contains(text, "the former configuration stays in effect") {
			t.Errorf("the log says %s", text)
		}
		link("abs-exporter.yml", "one/abs-exporter.yml")
		expect("it is back", "two", "three", "", "one")
		hangup <- syscall.SIGHUP
		expect("SIGHUP reads it in any case", "two", "three", "", "one", "one")
	})
}
