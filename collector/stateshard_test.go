package collector

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// startShard starts a shard on the ABS of a story, with a state directory of its own.
func startShard(t *testing.T, s *story, dir string, targets []string, others map[string]int) (*Collector, *strings.Builder) {
	t.Helper()
	o, log := s.o, &strings.Builder{}
	o.StateDir = dir
	var own []Target
	for _, name := range targets {
		client, err := abs.NewClient(abs.Config{
			URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Transport: s.sim.Transport(), Now: s.clock.Now, Rate: 1e6,
		})
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, Target{Options: o, Name: name, URL: "https://one.example.com", ABS: client, Forensics: true})
	}
	registry := prometheus.NewRegistry()
	c, err := New(own, Environment{
		Key: testKey, Health: metrics.NewHealth(registry), Publisher: metrics.NewExposition(registry, metrics.Options{}),
		Clock: s.clock, Log: slog.New(slog.NewTextHandler(log, nil)), OtherShards: others, StateDir: dir,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, log
}

// A target that moves to another shard starts anew there, which both shards log. Its state is not
// adopted by a target with the same URL. With the file moved, its counters go on and lose nothing.
func TestTargetMovesToAnotherShard(t *testing.T) {
	o := defaults()
	o.Forensics = false
	s := steady(t, o, 600, 3)
	first, second := t.TempDir(), t.TempDir()
	c, log := startShard(t, s, first, []string{"a"}, map[string]int{"b": 1})
	if !strings.Contains(log.String(), "no state of the target in this shard") {
		t.Errorf("a new target is not logged: %s", log)
	}
	cyclesUntil(t, s, c.all()[0].target, 2*time.Hour)
	counted, file := c.all()[0].target.ledger.Requests(), c.all()[0].target.state.path
	if counted == 0 {
		t.Fatal("nothing was counted in the first shard")
	}

	c, log = startShard(t, s, first, []string{"b"}, map[string]int{"a": 1})
	if n := c.all()[0].target.ledger.Requests(); n != 0 {
		t.Errorf("b has the %d requests of a", n)
	}
	for _, want := range []string{"state file of a target of another shard", "shard=1", file} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log of the former shard lacks %q: %s", want, log)
		}
	}
	if strings.Contains(log.String(), "not configured") {
		t.Errorf("the target is configured: %s", log)
	}

	c, log = startShard(t, s, second, []string{"a"}, map[string]int{"b": 0})
	if n := c.all()[0].target.ledger.Requests(); n != 0 || !strings.Contains(log.String(), "no state of the target in this shard") {
		t.Errorf("without its file a starts at %d: %s", n, log)
	}

	third := t.TempDir()
	if err := os.Rename(file, filepath.Join(third, filepath.Base(file))); err != nil {
		t.Fatal(err)
	}
	c, log = startShard(t, s, third, []string{"a"}, map[string]int{"b": 0})
	if strings.Contains(log.String(), "no state") {
		t.Errorf("the state is there: %s", log)
	}
	cyclesUntil(t, s, c.all()[0].target, 14*time.Hour)
	if got, all := c.all()[0].target.ledger.Requests(), s.sim.Truth(storyBegin, s.clock.Now()).Requests; got != all {
		t.Errorf("%d of %d requests were counted", got, all)
	}
}
