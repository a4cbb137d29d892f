package collector

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

func mustLoad(t *testing.T, name string) *time.Location {
	t.Helper()
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// zoneStory is an exporter with a zone, on an ABS with another one.
type zoneStory struct {
	*rig
	sim   *simulator.Simulator
	asked counted
	calls int // extra calls of the check that is under way, as ABS saw them
	most  int // of one check
}

// counted counts what is requested of ABS.
type counted struct {
	http.RoundTripper
	requests int
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests++
	return c.RoundTripper.RoundTrip(r)
}

// countedCheck counts the calls of a check.
type countedCheck struct {
	*zoneCheck
	story *zoneStory
}

func (k countedCheck) poll(ctx context.Context, c *cycle) bool {
	before := k.story.asked.requests
	defer func() {
		k.story.calls += k.story.asked.requests - before
		k.story.most = max(k.story.most, k.story.calls)
		if k.calls == 0 {
			k.story.calls = 0 // it has ended
		}
	}()
	return k.zoneCheck.poll(ctx, c)
}

func newZoneStory(t *testing.T, o Options, set, is string, begin time.Time, config simulator.Config, as ...func(*abs.Config, *Target)) *zoneStory {
	t.Helper()
	clock := &handClock{now: begin}
	config.Now, config.Location = clock.Now, mustLoad(t, is)
	s := &zoneStory{sim: simulator.New(config)}
	as = append(as, func(c *abs.Config, _ *Target) {
		s.asked.RoundTripper = c.Transport
		c.Transport = &s.asked
	})
	var err error
	if s.rig, err = newRig(o, mustLoad(t, set), abs.Exclusive, 0, clock, s.sim.Transport(), as...); err != nil {
		t.Fatal(err)
	}
	for i, r := range s.reports {
		if k, ok := r.(*zoneCheck); ok {
			s.reports[i] = countedCheck{k, s}
		}
	}
	return s
}

// until runs cycles to a time.
func (s *zoneStory) until(end time.Time) {
	for at := s.clock.Now(); at.Before(end); at = at.Add(s.options.Interval) {
		s.cycle(at)
	}
}

// warnings returns the warnings about the zone.
func (s *zoneStory) warnings() (all []string) {
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, "time zone seems wrong") {
			all = append(all, line)
		}
	}
	return all
}

// wants checks for one warning that names an offset, or none.
func (s *zoneStory) wants(t *testing.T, fits string) {
	t.Helper()
	all := s.warnings()
	flag := "--abs.timezone=" + s.Location.String()
	switch {
	case fits == "" && len(all) > 0:
		t.Errorf("a needless warning: %q", all)
	case fits != "" && (len(all) != 1 || !strings.Contains(all[0], "fits a wall clock at "+fits+";") || !strings.Contains(all[0], flag)):
		t.Errorf("one warning with %s and %s is wanted: %q", fits, flag, all)
	}
	if s.most == 0 || s.most > zoneCalls {
		t.Errorf("%d extra calls", s.most)
	}
	t.Logf("at most %d extra calls a check", s.most)
}

// standStill lets the feed stand still; its backlog comes within a time.
func (s *zoneStory) standStill(t *testing.T, from, to time.Time, backlog time.Duration) {
	t.Helper()
	fault := simulator.Fault{Kind: simulator.FaultStandstill, From: from, To: to, Delay: backlog}
	if err := s.sim.SetFaults(fault); err != nil {
		t.Fatal(err)
	}
}

// A wrong zone is found in either direction, to the quarter of an hour, with one warning.
func TestWrongZone(t *testing.T) {
	long(t)
	begin := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		set, is string
		fits    string        // what the warning names; empty: none
		within  time.Duration // of the start
	}{
		{"UTC", "UTC", "", 3 * time.Hour},
		{"Asia/Kathmandu", "Asia/Kathmandu", "", 3 * time.Hour},
		{"America/New_York", "UTC", "UTC+00:00", 30 * time.Minute},
		{"UTC", "Asia/Kolkata", "UTC+05:30", 30 * time.Minute},
		{"UTC", "Asia/Kathmandu", "UTC+05:45", 30 * time.Minute},
		{"Asia/Karachi", "Asia/Kathmandu", "UTC+05:45", 30 * time.Minute},
		{"UTC", "Pacific/Auckland", "UTC+13:00", 30 * time.Minute},
		{"UTC", "Europe/Berlin", "UTC+01:00", 30 * time.Minute},
		{"Asia/Kolkata", "UTC", "UTC+00:00", 3 * time.Hour},
		{"UTC", "America/New_York", "UTC-05:00", 3 * time.Hour},
		{"Asia/Kathmandu", "UTC", "UTC+00:00", 3 * time.Hour},
		{"Pacific/Auckland", "UTC", "UTC+00:00", 3 * time.Hour},
		{"Australia/Sydney", "America/New_York", "UTC-05:00", 3 * time.Hour},
	} {
		t.Run(tt.set+" for "+tt.is, func(t *testing.T) {
			t.Parallel()
			o := defaults()
			o.Forensics = false
			s := newZoneStory(t, o, tt.set, tt.is, begin, simulator.Config{Seed: 1, Tokens: 20, Rate: 30, Delay: 10 * time.Minute, DelayMax: 40 * time.Minute})
			s.until(begin.Add(tt.within))
			s.wants(t, tt.fits)
		})
	}
}

// A wrong zone is found where the start shows nothing: in a quiet night, and while the feed stands
// still. Requests of hours ago that come at once make the check look again, too.
func TestWrongZoneAfterAQuietStart(t *testing.T) {
	long(t)
	begin := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		set, is, fits string
		quiet         bool // in the night
		standing      time.Duration
	}{
		"zone behind, in the night":                 {set: "America/New_York", is: "UTC", fits: "UTC+00:00", quiet: true},
		"zone ahead, in the night":                  {set: "Asia/Kolkata", is: "UTC", fits: "UTC+00:00", quiet: true},
		"zone behind, the feed stands still":        {set: "America/New_York", is: "UTC", fits: "UTC+00:00", standing: 3 * time.Hour},
		"zone ahead, the feed stands still":         {set: "Asia/Kathmandu", is: "UTC", fits: "UTC+00:00", standing: 3 * time.Hour},
		"zone ahead by an hour looks like lateness": {set: "Etc/GMT-2", is: "Europe/Berlin", fits: "", quiet: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := defaults()
			o.Forensics = false
			s := newZoneStory(t, o, tt.set, tt.is, begin, simulator.Config{Seed: 1})
			if tt.standing > 0 {
				s.standStill(t, begin.Add(-5*time.Hour), begin.Add(tt.standing), time.Hour)
			}
			for m := -1440; m < 1440; m++ {
				at := begin.Add(time.Duration(m) * time.Minute)
				if hour := at.Hour(); tt.quiet && (hour < 7 || hour >= 19) {
					continue
				}
				s.sim.Add(simulator.Event{
					At: at, VisibleFrom: at.Truncate(10 * time.Minute).Add(16 * time.Minute), Token: "some-long-token-of-a-user", API: "shop",
				})
			}
			s.until(begin.Add(16 * time.Hour))
			s.wants(t, tt.fits)
		})
	}
}

// A wrong zone where ABS refuses windows that are not over yet.
func TestWrongZoneOfAnABSThatRefusesTheFuture(t *testing.T) {
	begin := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for set, fits := range map[string]string{"America/New_York": "UTC+00:00", "UTC": ""} {
		o := defaults()
		o.Forensics = false
		refuse := func(c *abs.Config, _ *Target) {
			c.Transport = refusesFuture{c.Transport, c.Now}
		}
		s := newZoneStory(t, o, set, "UTC", begin, simulator.Config{Seed: 1, Tokens: 20, Rate: 30, Delay: 10 * time.Minute}, refuse)
		s.until(begin.Add(30 * time.Minute))
		s.wants(t, fits)
	}
}

// A check of an ABS that is slow or out of order ends, and goes on later; keys that are refused end
// the cycle.
func TestZoneCheckOfAFailingABS(t *testing.T) {
	begin := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		answer func(*handClock, *http.Request) (*http.Response, error)
		calls  int // within half an hour
		up     string
	}{
		"time-outs": {func(clock *handClock, _ *http.Request) (*http.Response, error) {
			clock.set(clock.Now().Add(30 * time.Second))
			return nil, context.DeadlineExceeded
		}, 2, "1"},
		"slow": {func(clock *handClock, _ *http.Request) (*http.Response, error) {
			clock.set(clock.Now().Add(50 * time.Second))
			return nil, nil
		}, 6, "1"},
		"503": {func(_ *handClock, r *http.Request) (*http.Response, error) { return statusOnly(r, 503), nil }, 2, "1"},
		"429": {func(_ *handClock, r *http.Request) (*http.Response, error) { return statusOnly(r, 429), nil }, 2, "1"},
		"401": {func(_ *handClock, r *http.Request) (*http.Response, error) { return statusOnly(r, 401), nil }, 2, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults()
			o.Forensics = false
			var s *zoneStory
			s = newZoneStory(t, o, "UTC", "Asia/Kolkata", begin, simulator.Config{Seed: 1, Tokens: 20, Rate: 30, Delay: 10 * time.Minute},
				func(c *abs.Config, _ *Target) {
					c.Transport = &futureFails{c.Transport, begin, func(r *http.Request) (*http.Response, error) { return tt.answer(s.clock, r) }}
				})
			s.until(begin.Add(2 * time.Minute))
			if up := `abs_up{target="t"} ` + tt.up; !slices.Contains(s.scrape(t), up) {
				t.Errorf("not exposed: %s", up)
			}
			s.until(begin.Add(30 * time.Minute))
			if s.calls != tt.calls {
				t.Errorf("%d calls in half an hour, want %d", s.calls, tt.calls)
			}
		})
	}
}

func statusOnly(r *http.Request, status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}
}

// futureFails answers windows that end after a time in another way, if there is one.
type futureFails struct {
	http.RoundTripper
	after  time.Time
	answer func(*http.Request) (*http.Response, error)
}

func (f *futureFails) RoundTrip(r *http.Request) (*http.Response, error) {
	if to, err := time.Parse("2006-01-02T15:04", r.URL.Query().Get("later_date")); err == nil && to.After(f.after.Add(time.Hour)) {
		if resp, err := f.answer(r); resp != nil || err != nil {
			return resp, err
		}
	}
	return f.RoundTripper.RoundTrip(r)
}

type refusesFuture struct {
	http.RoundTripper
	now func() time.Time
}

func (f refusesFuture) RoundTrip(r *http.Request) (*http.Response, error) {
	if to, err := time.Parse("2006-01-02T15:04", r.URL.Query().Get("later_date")); err == nil && to.After(f.now()) {
		return statusOnly(r, http.StatusBadRequest), nil
	}
	return f.RoundTripper.RoundTrip(r)
}

// weekCase is a right zone and what looks like a wrong one.
type weekCase struct {
	zone     string
	late     time.Duration    // after the batch, at least; up to a quarter of an hour more
	atOnce   bool             // no batches
	fast     time.Duration    // by how much the clock of one of five nodes is ahead
	standing [2]time.Duration // when the feed stands still
	sparse   bool             // now and then a request in the night
}

// A right zone is never warned of: a week with quiet nights and a silent Sunday, from a night on.
func TestRightZoneIsNeverWarnedOf(t *testing.T) {
	long(t)
	for name, tt := range map[string]weekCase{
		"UTC":                         {zone: "UTC", late: 5 * time.Minute},
		"clock change":                {zone: "Europe/Berlin", late: 15 * time.Minute, sparse: true},
		"always two hours late":       {zone: "Asia/Kathmandu", late: 2 * time.Hour},
		"feed stands still for hours": {zone: "America/New_York", late: 5 * time.Minute, standing: [2]time.Duration{31 * time.Hour, 39 * time.Hour}},
		"a node's clock is ahead":     {zone: "Asia/Kolkata", late: -7 * time.Minute, fast: 8 * time.Minute},
		"requests at once":            {zone: "UTC", atOnce: true, sparse: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Date(2026, 10, 19, 3, 0, 0, 0, time.UTC) // a Monday
			o := defaults()
			o.Forensics = false
			s := newZoneStory(t, o, tt.zone, tt.zone, begin, simulator.Config{Seed: 1})
			if tt.standing[1] > 0 {
				s.standStill(t, begin.Add(tt.standing[0]), begin.Add(tt.standing[1]), 4*time.Hour)
			}
			tt.addTraffic(s, begin)
			s.until(begin.Add(7 * 24 * time.Hour))
			s.wants(t, "")
		})
	}
}

// addTraffic adds the requests of a week and of the day before it.
func (c *weekCase) addTraffic(s *zoneStory, begin time.Time) {
	rng := rand.New(rand.NewPCG(7, 7))
	for m := -1440; m < 7*1440; m++ {
		at := begin.Add(time.Duration(m) * time.Minute)
		local := at.In(s.Location)
		night := local.Hour() < 7 || local.Hour() >= 19 || local.Weekday() == time.Sunday
		if night && (!c.sparse || rng.IntN(150) > 0) {
			continue
		}
		visible := at.Truncate(10 * time.Minute).Add(10*time.Minute + c.late + time.Duration(rng.IntN(15))*time.Minute)
		if c.atOnce {
			visible = at
		}
		if m%5 == 0 {
			at = at.Add(c.fast)
		}
		s.sim.Add(simulator.Event{At: at, VisibleFrom: visible, Token: fmt.Sprint("some-long-token-of-user-", rng.IntN(5)), API: "shop"})
	}
}
