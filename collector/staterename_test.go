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
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// startAs starts an exporter on the ABS of a story under another name, URL and key.
func startAs(t *testing.T, s *story, name, url string, key tokenid.Key) (*Collector, *prometheus.Registry, *strings.Builder) {
	t.Helper()
	client, err := abs.NewClient(abs.Config{
		URL: "http://abs.test", Keys: abs.StaticKeys("abs_ak", "abs_sk"), Transport: s.sim.Transport(), Now: s.clock.Now, Rate: 1e6,
	})
	if err != nil {
		t.Fatal(err)
	}
	registry, log := prometheus.NewRegistry(), &strings.Builder{}
	c, err := New([]Target{{Options: s.o, Name: name, URL: url, ABS: client, Forensics: true}}, Environment{
		Key: key, Health: metrics.NewHealth(registry), Publisher: metrics.NewExposition(registry, metrics.Options{}),
		Clock: s.clock, Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, registry, log
}

// cyclesUntil runs the cycles of a target up to a time after the beginning.
func cyclesUntil(t *testing.T, s *story, target *target, d time.Duration) {
	t.Helper()
	for at := s.clock.Now(); at.Before(storyBegin.Add(d)); at = at.Add(s.o.Interval) {
		s.clock.set(at)
		target.runCycle(t.Context())
	}
}

// A renamed target keeps what it knows of its slots and begins its series at 0: what was counted
// under the old name is not counted again, and nothing since is lost.
func TestRenamedTarget(t *testing.T) {
	long(t)
	const url = "https://abs.example.com:8080"
	o := defaults()
	o.StateDir, o.Forensics = t.TempDir(), false
	for name, tt := range map[string]struct {
		url     string
		key     tokenid.Key
		adopted bool
	}{
		"the same ABS": {url, testKey, true},
		"another ABS":  {"https://other.example.com:8080", testKey, false},
		"another key":  {url, tokenid.Key("another key of token ids"), false},
	} {
		t.Run(name, func(t *testing.T) {
			o.StateDir = t.TempDir()
			s := steady(t, o, 600, 3)
			c, _, _ := startAs(t, s, "old", url, testKey)
			cyclesUntil(t, s, c.all()[0].target, 2*time.Hour)
			counted := c.all()[0].target.ledger.Requests()
			former := c.all()[0].target.state.path
			if counted == 0 {
				t.Fatal("nothing was counted under the old name")
			}
			c, _, log := startAs(t, s, "new", tt.url, tt.key)
			target := c.all()[0].target
			if n := target.ledger.Requests(); n != 0 {
				t.Errorf("the new name begins at %d", n)
			}
			_, err := os.Stat(former)
			if adopted := os.IsNotExist(err); adopted != tt.adopted {
				t.Errorf("the former state file: %v", err)
			}
			if tt.adopted != strings.Contains(log.String(), "state of a renamed target adopted") {
				t.Errorf("the log says %s", log)
			}
			if warned := strings.Contains(log.String(), former) && strings.Contains(log.String(), "--abs.name=old"); warned == tt.adopted {
				t.Errorf("the log says %s", log)
			}
			cyclesUntil(t, s, target, 14*time.Hour)
			if got, all := target.ledger.Requests(), s.sim.Truth(storyBegin, s.clock.Now()).Requests; tt.adopted && got+counted != all {
				t.Errorf("%d under the old name and %d under the new one are not the %d requested", counted, got, all)
			}
		})
	}
}

// A state file that is not of this program, or damaged, is left alone as long as no target has its
// name.
func TestOrphansThatCannotBeRead(t *testing.T) {
	o := defaults()
	o.StateDir = t.TempDir()
	path := filepath.Join(o.StateDir, "counters-x-12345678.state")
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newStory(t, simulator.Config{Seed: 1}, o, abs.Exclusive)
	startAs(t, s, "t", "https://abs.example.com", testKey)
	if b, err := os.ReadFile(path); err != nil || string(b) != "nonsense" {
		t.Errorf("%q, %v", b, err)
	}
}
