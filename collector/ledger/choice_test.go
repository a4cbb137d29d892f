package ledger

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// What is not chosen is counted under Other, at once and for ever: sums agree, it is no overflow,
// and the attack reports of its API are still requested.
func TestChosenValues(t *testing.T) {
	l := limitsLedger(10)
	l.c.Choices[counts.API] = counts.Choice{Allow: regexp.MustCompile("^(?:shop|pay.*)$"), Deny: regexp.MustCompile("^(?:payback)$")}
	l.c.Choices[counts.Device].Limit = 2
	l = New(l.c)
	f := &traffic{t: t, l: l, now: limitsNow}
	f.rows = func(time.Duration) []abs.Row {
		var rows []abs.Row
		for i, api := range []string{"shop", "pay", "payback", "hr", "shop2"} {
			rows = append(rows, abs.Row{
				Requests: 3, APIs: []abs.Count{{Key: []byte(api), N: 3}},
				Devices: []abs.Count{{Key: []byte(fmt.Sprint("device", i)), N: 3}},
			})
		}
		return rows
	}
	f.until(20 * time.Minute)
	apis, devices, overflow := f.series(metrics.APIRequests), f.series(metrics.DeviceRequests), f.series(metrics.SeriesOverflow)
	total := f.series(metrics.Requests)[""]
	if got := slices.Sorted(maps.Keys(apis)); !slices.Equal(got, []string{metrics.Other, "pay", "shop"}) {
		t.Errorf("the APIs are %v", got)
	}
	if apis["shop"] != total/5 || apis[metrics.Other] != total/5*3 || total < 200 {
		t.Errorf("%v of %d", apis, total)
	}
	if len(devices) != 3 || overflow["api"] != 0 || overflow["device"] != devices[metrics.Other] || overflow["device"] == 0 {
		t.Errorf("%v, overflow %v", devices, overflow)
	}
	id := limitsID(2).String()
	if n := f.series(metrics.TokenAPIRequests)[id+" "+metrics.Other]; n != total/5 {
		t.Errorf("a token of a denied API has %d of %d requests under Other", n, total/5)
	}
	if got := l.Values(counts.API); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"hr", "pay", "payback", "shop", "shop2"}) {
		t.Errorf("the attack reports of %v are requested", got)
	}
}

// Settings that deny a value end its series at the restart, and what nobody has seen of it is
// Other's: the sum goes on.
func TestChoiceOfARestart(t *testing.T) {
	l := limitsLedger(10)
	f := &traffic{t: t, l: l, now: limitsNow}
	f.rows = func(since time.Duration) []abs.Row {
		rows := []abs.Row{named("GET", "LINUX", 2)}
		if since >= 20*time.Minute { // still exposed as 0 at the restart
			rows = append(rows, named("GET", "ANDROID", 7))
		}
		return rows
	}
	f.until(20 * time.Minute)
	l.Advance(f.now, 2*time.Minute)
	for _, j := range l.Due(f.now) {
		readAll(l, j, f.now, 1, &abs.Row{Requests: 107, Devices: []abs.Count{{Key: []byte("LINUX"), N: 100}, {Key: []byte("ANDROID"), N: 7}}})
	}
	shown := f.series(metrics.DeviceRequests)
	if zero, ok := shown["ANDROID"]; !ok || zero != 0 || shown["LINUX"] == 0 {
		t.Fatalf("before the restart there are %v", shown)
	}
	c := l.c
	c.Choices[counts.Device].Deny = regexp.MustCompile("^(?:LINUX|ANDROID)$")
	restored, err := Restore(c, l.State())
	if err != nil {
		t.Fatal(err)
	}
	f.l = restored
	f.until(40 * time.Minute)
	after, total := f.series(metrics.DeviceRequests), f.series(metrics.Requests)[""]
	if len(after) != 1 || shown["LINUX"]+after[metrics.Other] != total {
		t.Errorf("before %v, after %v, the total is %d", shown, after, total)
	}
}
