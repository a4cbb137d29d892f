package crash

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// begin returns when the traffic begins where the date doesn't matter.
func begin() time.Time { return time.Date(2026, 2, 10, 9, 0, 0, 0, time.UTC) }

// TestKilled is the main run: 20 hours of ABS's time, 100 kills, and 30 % of the calls fail.
func TestKilled(t *testing.T) {
	t.Parallel()
	s := &scenario{
		seed: *seedFlag, hours: *hoursFlag, kills: *killsFlag, aims: mixed(), absence: 30, away: 3 * time.Hour, factor: *factorFlag, https: true,
		abs: late(16, 30, begin()), faults: failing(),
	}
	r := s.start(t)
	r.run()
	if least := s.kills / 20; r.saves < least {
		t.Errorf("%d kills were in the middle of a save, want at least %d: too few to test saves", r.saves, least)
	}
}

// day is a day of ABS's time with 40 kills and calls that fail.
func day() *scenario {
	return &scenario{
		seed: *seedFlag, hours: 24, kills: 40, aims: mixed(), absence: 30, away: 3 * time.Hour, factor: *factorFlag,
		abs: late(12, 30, begin()), faults: failing(),
	}
}

// ABS is down for an hour, while everything else goes wrong as it does in all runs.
func TestKilledWhileABSIsDown(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{simulator.FaultReset, simulator.FaultStatus} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := day()
			s.hours, s.kills = 8, 30
			down := begin().Add(3 * time.Hour)
			s.faults = append([]simulator.Fault{{Kind: kind, From: down, To: down.Add(time.Hour)}}, s.faults...)
			s.run(t)
		})
	}
}

// ABS's responses have 64 kB at most, and it does one of five things to longer ones.
func TestKilledWithResponseCap(t *testing.T) {
	t.Parallel()
	const limit = 64_000
	for _, tc := range []struct {
		name string
		kind simulator.CapKind
	}{
		{"cut", simulator.CapCut},
		{"abort", simulator.CapAbort},
		{"status", simulator.CapStatus},
		{"rows left out", simulator.CapRows},
		{"hang", simulator.CapHang},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := day()
			s.hours, s.kills, s.absence, s.factor = 4, 15, 0, *factorFlag/2
			s.abs = late(120, 60, begin())
			s.abs.TokenLife, s.abs.ResponseCap, s.abs.CapKind = 0, limit, tc.kind
			s.args = []string{"--abs.response-cap=64kB"}
			if tc.kind == simulator.CapHang {
				// What hangs does so in real time, which is a long time of ABS.
				s.args = append(s.args, "--abs.timeout=250ms")
				s.factor, s.hours, s.kills = *factorFlag/4, 2.5, 6
			}
			s.mustExceed(t, limit)
			s.run(t)
		})
	}
}

// mustExceed checks that reports of slots are longer than the cap, and those of minutes are not.
func (s *scenario) mustExceed(t *testing.T, limit int64) {
	t.Helper()
	config := s.abs
	config.Seed, config.End, config.ResponseCap, config.Immediate = s.seed, s.end(), 0, true
	config.Now = s.end
	sim := simulator.New(config)
	longest := func(step time.Duration) int64 {
		var most int64
		for at := s.abs.Begin; at.Before(s.end()); at = at.Add(step) {
			var n counting
			if err := sim.WriteTokens(t.Context(), &n, at, at.Add(step)); err != nil {
				t.Fatal(err)
			}
			most = max(most, int64(n))
		}
		return most
	}
	full, minute := longest(slot), longest(time.Minute)
	if full <= limit*3/2 || minute >= limit/2 {
		t.Fatalf("the longest report of a slot has %d bytes, of a minute %d: the first is to be well above the cap of %d, the second well below", full, minute, limit)
	}
}

type counting int64

func (c *counting) Write(p []byte) (int, error) {
	*c += counting(len(p))
	return len(p), nil
}

var _ io.Writer = new(counting)

// ABS works through nothing for four hours, down or not, and through the backlog within an hour.
// Requests are up to 100 minutes late, and the settle time is twice that, so that what the outage
// made late besides is in time.
func TestKilledInAnOutage(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"down":          {Kind: simulator.FaultDown},
		"empty reports": {Kind: simulator.FaultDown, Code: 200},
		"standstill":    {Kind: simulator.FaultStandstill},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := day()
			s.hours, s.settle = 12, 4*time.Hour
			fault.From = begin().Add(4 * time.Hour)
			fault.To, fault.Delay = fault.From.Add(4*time.Hour), time.Hour
			s.faults = append([]simulator.Fault{fault}, s.faults...)
			s.run(t)
		})
	}
}

// Every third request is answered by a node that is 20 minutes behind.
func TestKilledWhileNodesDisagree(t *testing.T) {
	t.Parallel()
	s := day()
	s.hours, s.settle = 9, 150*time.Minute
	s.faults = append([]simulator.Fault{{Kind: simulator.FaultBehind, Delay: 20 * time.Minute, Probability: 1. / 3}}, s.faults...)
	s.run(t)
}

// Zones with an offset of half an hour, and both changes of the clock, at an ABS that stores
// instants and at one that stores wall-clock times.
func TestKilledInZones(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		zone  string
		begin time.Time
		wall  []bool
		end   string
	}{
		{"Asia/Kolkata", begin(), []bool{true}, "exclusive"},
		{"Europe/Berlin", time.Date(2026, 3, 28, 17, 0, 0, 0, time.UTC), []bool{false, true}, "exclusive"},
		{"Europe/Berlin", time.Date(2026, 10, 24, 17, 0, 0, 0, time.UTC), []bool{false, true}, "exclusive"},
		{"Europe/Berlin", time.Date(2026, 10, 24, 17, 0, 0, 0, time.UTC), []bool{true}, "inclusive"},
		{"UTC", begin(), []bool{false}, "inclusive"},
	} {
		for _, wall := range tc.wall {
			t.Run(fmt.Sprintf("%s, %s, wall clock %v, %s", tc.zone, tc.begin.Format(time.DateOnly), wall, tc.end), func(t *testing.T) {
				t.Parallel()
				location, err := time.LoadLocation(tc.zone)
				if err != nil {
					t.Fatal(err)
				}
				s := day()
				s.hours, s.kills = 10.5, 25 // the change comes after eight
				s.abs = late(12, 30, tc.begin)
				s.abs.Location, s.abs.WallClock, s.abs.InclusiveEnd = location, wall, tc.end == "inclusive"
				s.args = []string{"--abs.timezone=" + tc.zone, "--abs.window-end=" + tc.end}
				s.run(t)
			})
		}
	}
}

// TestKilledWithForensics compares the detections with the truth too: an attack that lasts across
// restarts is detected once.
func TestKilledWithForensics(t *testing.T) {
	t.Parallel()
	s := day()
	s.hours, s.kills, s.factor = 4, 15, *factorFlag/4
	s.abs = late(12, 60, begin())
	s.abs.AttackEvery, s.abs.AttackDelay = 20*time.Minute, 10*time.Minute
	s.args = []string{"--forensics.enabled", "--forensics.rate=200"}
	r := s.start(t)
	r.run()
	r.judgeDetections(t)
}
