package ledger

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// traffic is an ABS that reports at once what was requested.
type traffic struct {
	t   *testing.T
	l   *Ledger
	now time.Time
	// rows returns what was requested in the minute that is so long after the beginning.
	rows func(since time.Duration) []abs.Row
}

func (f *traffic) until(since time.Duration) {
	for ; f.now.Before(limitsNow.Add(since)); f.now = f.now.Add(2 * time.Minute) {
		f.l.Advance(f.now, 2*time.Minute)
		for _, j := range f.l.Due(f.now) {
			r := f.l.Begin(j, f.now)
			for at := j.From; at.Before(j.To) && at.Before(f.now); at = at.Add(time.Minute) {
				if at.Before(limitsNow) {
					continue
				}
				for i, row := range f.rows(at.Sub(limitsNow)) {
					r.Add(limitsID(i), &row)
				}
			}
			if err := f.l.Check(r); err != nil {
				f.t.Fatal(err)
			}
			f.l.Apply(r, 1000)
		}
		f.l.Close()
		f.l.Stage(f.now, f.now)
		f.l.Published()
	}
}

// series returns those of a family, with their values.
func (f *traffic) series(family *metrics.Family) map[string]int64 {
	all := map[string]int64{}
	for _, b := range f.l.Stage(f.now, f.now) {
		for _, s := range b.Samples {
			if b.Family == family {
				var values []string
				for name, value := range s.Series.Labels() {
					if name != metrics.LabelTarget {
						values = append(values, value)
					}
				}
				all[strings.Join(values, " ")] = s.Value
			}
		}
	}
	return all
}

func named(method, device string, n int64) abs.Row {
	return abs.Row{
		Requests: n, Methods: []abs.Count{{Key: []byte(method), N: n}}, Devices: []abs.Count{{Key: []byte(device), N: n}},
		APIs: []abs.Count{{Key: []byte("shop"), N: n}},
	}
}

// A client that makes up methods and devices takes no index for ever: the known methods always have
// one, a busier device gets one after 30 minutes, and what is over leaves after --series.expire.
func TestMadeUpValues(t *testing.T) {
	l := limitsLedger(10)
	l.c.MaxValues = 5
	l = New(l.c)
	f := &traffic{t: t, l: l, now: limitsNow}
	f.rows = func(since time.Duration) []abs.Row {
		var rows []abs.Row
		if since < 10*time.Minute { // one token, a hundred of each
			for i := range 100 {
				rows = append(rows, named(fmt.Sprint("MADEUP", i), fmt.Sprint("device", i), 5))
			}
			return rows
		}
		return []abs.Row{named("PATCH", "LINUX", 3)}
	}
	l.c.MaxTokens = 10
	f.until(16 * time.Minute)
	methods, devices := f.series(metrics.MethodRequests), f.series(metrics.DeviceRequests)
	if _, ok := methods["PATCH"]; !ok || len(methods) != 7 || len(devices) != 6 {
		t.Errorf("after the flood there are %v and %v", methods, devices)
	}
	overflow := f.series(metrics.SeriesOverflow)
	if methods[metrics.Other] != overflow["method"] || overflow["method"] < 4000 || overflow["device"] != devices[metrics.Other] {
		t.Errorf("overflow %v, but %v and %v", overflow, methods, devices)
	}
	f.until(50 * time.Minute)
	if devices = f.series(metrics.DeviceRequests); devices["LINUX"] == 0 {
		t.Errorf("after 40 minutes without the flood: %v", devices)
	}
	f.until(4 * time.Hour)
	methods, devices = f.series(metrics.MethodRequests), f.series(metrics.DeviceRequests)
	if len(methods) != 2 || len(devices) != 2 || devices["LINUX"] == 0 {
		t.Errorf("after --series.expire: %v and %v", methods, devices)
	}
	if n := f.series(metrics.TokenDeviceRequests)[limitsID(0).String()+" LINUX"]; n != devices["LINUX"] {
		t.Errorf("the token has %d requests by LINUX, of %d", n, devices["LINUX"])
	}
}

// A value leaves no faster for an ABS that is down.
func TestNoValueLeavesWithoutTraffic(t *testing.T) {
	f := &traffic{t: t, l: limitsLedger(10), now: limitsNow}
	f.rows = func(since time.Duration) []abs.Row {
		if since < 10*time.Minute {
			return []abs.Row{named("PURGE", "LINUX", 3)}
		}
		return nil
	}
	f.until(20 * time.Hour)
	if methods := f.series(metrics.MethodRequests); methods["PURGE"] != 30 {
		t.Errorf("%v", methods)
	}
}

// Nothing that an ABS can report takes a counter past 2^53, where sums become wrong, or past 2^63,
// where a panic ended all targets.
func TestSumsAreBounded(t *testing.T) {
	row := func(n int64, methods ...int64) abs.Row {
		r := abs.Row{Requests: n}
		for i, m := range methods {
			r.Methods = append(r.Methods, abs.Count{Key: fmt.Append(nil, "M", i), N: m})
		}
		return r
	}
	const most = 1 << 53
	for _, tt := range []struct {
		name     string
		readings [][]abs.Row
		want     error
	}{
		{"as much as is exact", [][]abs.Row{{row(most, most)}}, nil},
		{"the same twice", [][]abs.Row{{row(most, most)}, {row(most, most)}}, nil},
		{"rows past it", [][]abs.Row{{row(most), row(1)}}, ErrTooMany},
		{"a value past it", [][]abs.Row{{row(1, most), row(1, most)}}, ErrTooMany},
		{"values past it together", [][]abs.Row{{row(1, most, 1)}}, ErrTooMany},
		{"past 2^63", [][]abs.Row{slices.Repeat([]abs.Row{row(most, most)}, 2000)}, ErrTooMany},
	} {
		l := limitsLedger(10)
		j := currentJob(t, l)
		var err error
		for _, rows := range tt.readings {
			r := l.Begin(j, limitsNow)
			for i := range rows {
				r.Add(limitsID(i), &rows[i])
			}
			if err = l.Check(r); err != nil {
				l.Discard(r)
			} else {
				l.Apply(r, 1000)
			}
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if n := l.Requests(); n < 0 || n > most {
			t.Errorf("%s: counted %d", tt.name, n)
		}
	}
}

// Slot by slot, no counter passes it either.
func TestSumsOverSlotsAreBounded(t *testing.T) {
	const most = 1 << 53
	l, failed := limitsLedger(10), 0
	for now := limitsNow; now.Before(limitsNow.Add(3 * time.Hour)); now = now.Add(2 * time.Minute) {
		l.Advance(now, 2*time.Minute)
		for _, j := range l.Due(now) {
			r := l.Begin(j, now)
			big := named("GET", "LINUX", most/2)
			r.Add(limitsID(0), &big)
			if l.Check(r) != nil {
				failed++
				l.Discard(r)
				l.Failed(j, Unavailable)
				continue
			}
			l.Apply(r, 1000)
		}
		l.Close()
		l.Stage(now, now)
		l.Published()
		if n := l.Requests(); n < 0 || n > most {
			t.Fatalf("counted %d", n)
		}
	}
	if failed == 0 || l.Requests() != most {
		t.Errorf("%d readings failed, %d requests", failed, l.Requests())
	}
}

// A million made-up devices of a thousand tokens in one report hold no memory and no state.
func TestFloodOfDevices(t *testing.T) {
	before := heapNow()
	l := limitsLedger(1000)
	j := currentJob(t, l)
	for n := range int64(2) {
		r := l.Begin(j, limitsNow)
		for token := range 1000 {
			row := abs.Row{Requests: 1000 * (n + 1)}
			for i := range 1000 {
				row.Devices = append(row.Devices, abs.Count{Key: fmt.Appendf(nil, "device %d of %d", i, token*int(n)), N: n + 1})
			}
			r.Add(limitsID(token), &row)
		}
		l.Apply(r, 1000)
		l.Stage(limitsNow, limitsNow)
		l.Published()
	}
	l.Discard(l.Begin(j, limitsNow)) // the next reading gives the memory of the last one back
	after := heapNow()
	var state bytes.Buffer
	if err := gob.NewEncoder(&state).Encode(l.State()); err != nil {
		t.Fatal(err)
	}
	held := int64(after-before) >> 20
	t.Logf("%d MiB of heap, %d bytes of state", held, state.Len())
	if held > 64 || state.Len() > 2<<20 {
		t.Errorf("%d MiB of heap and %d bytes of state are held", held, state.Len())
	}
}
