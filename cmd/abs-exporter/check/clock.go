package check

import (
	"context"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/absstate"
	"github.com/abs-exporter/abs-exporter/collector/zonesearch"
)

// mostSkew is how far two clocks may differ: serve logs a warning from there on.
const mostSkew = time.Minute

func (i *inspection) clock(_ context.Context, a *Answer) {
	skew, uncertainty, ok := i.first.call.Clock.Skew()
	switch {
	case !ok:
		a.unknown("The answers of ABS have no Date header.")
	case skew.Abs()-uncertainty > mostSkew && skew > 0:
		a.fix("No: the clock of ABS is %s ahead of the one here.", skew.Round(time.Second))
	case skew.Abs()-uncertainty > mostSkew:
		a.fix("No: the clock of ABS is %s behind the one here.", skew.Abs().Round(time.Second))
	default:
		a.found("Yes, within %s.", (skew.Abs() + uncertainty).Round(time.Second))
	}
	if a.State == Fix {
		a.found("Windows are shifted by that, and no slot settles while it is longer than a slot: synchronise the clock that is wrong (NTP).")
		a.found("The other questions are asked by the clock of ABS.")
	}
}

// zoneEvidence is what is known of ABS's time zone.
type zoneEvidence struct {
	word   string         // of the admin report; "" where it has none
	set    *time.Location // --abs.timezone
	now    time.Time
	ahead  time.Time // a quarter of an hour that is still to come, and holds requests; zero: none
	behind time.Time // the newest quarter of an hour with requests where the last hours have none; zero: not looked for
	err    error     // why the search ended early
}

// timeZone compares the zone with ABS's own word, and looks for requests that are still to come.
// Where the last hours have none, it looks further back.
func (i *inspection) timeZone(ctx context.Context, a *Answer) {
	e := zoneEvidence{set: i.target.Location, now: i.now().Add(i.ahead)}
	if i.admin != nil {
		e.word = i.admin.Timezone
	}
	holds := i.asker.holds("requests that are still to come", 16)
	if e.ahead, e.err = zonesearch.Ahead(ctx, holds, e.now, offsetOf(e.set, e.now)); e.err == nil && e.ahead.IsZero() {
		if i.age = i.searchNewest(ctx); i.age.err == nil && i.age.most == 0 {
			holds = i.asker.holds("the last hours", 12)
			e.behind, e.err = zonesearch.Behind(ctx, holds, e.now.Truncate(time.Minute), offsetOf(e.set, e.now))
		}
	}
	i.zoned = e.answer(a)
}

func offsetOf(zone *time.Location, at time.Time) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}

// answer reports whether the zone is, or seems to be, another one.
func (e *zoneEvidence) answer(a *Answer) (other bool) {
	set := offsetOf(e.set, e.now)
	here := "UTC" + zonesearch.OffsetText(set)
	same, known := absstate.SameZone(e.word, e.set, e.now)
	known = known && e.word != ""
	newest := e.ahead
	if newest.IsZero() {
		newest = e.behind
	}
	switch fits := zonesearch.LeastOffset(set + newest.Add(time.Minute).Sub(e.now)); {
	case !e.ahead.IsZero():
		a.fix("No: ABS has requests of what is still to come in --abs.timezone=%s (%s). They fit a clock at UTC%s, or a little ahead of it.",
			e.set, here, zonesearch.OffsetText(fits))
		e.propose(a, known && !same, fits)
		return true
	case known && !same:
		a.fix("No: the admin report says %q, and --abs.timezone is %s (%s).", e.word, e.set, here)
		e.propose(a, true, 0)
		return true
	case !e.behind.IsZero():
		a.unknown("The last %s have no requests. The newest ones fit a clock at UTC%s, and --abs.timezone=%s is at %s: "+
			"if there is traffic now, the zone is wrong, or ABS gets no logs.", length(zonesearch.MostLate), zonesearch.OffsetText(fits), e.set, here)
		return true
	case e.err != nil:
		a.unknown("It could not be found out: %s.", failure(e.err))
	case known:
		a.found("Yes: the admin report says %q, and no requests are still to come.", e.word)
	case e.word != "":
		a.found("Yes, as far as the data shows: no requests are still to come. The admin report says %q, which names no zone.", e.word)
	default:
		a.found("Yes, as far as the data shows: no requests are still to come. The admin report names no zone.")
	}
	return false
}

// propose sets the zone: the one that ABS names, or well-known ones at an offset.
func (e *zoneEvidence) propose(a *Answer, named bool, offset time.Duration) {
	if named {
		a.set("abs.timezone", absstate.ZoneFlag(e.word))
		return
	}
	zones := zonesAt(offset, e.now)
	if len(zones) == 0 {
		return
	}
	a.found("Zones there: %s. It is the zone of the host of ABS, if its abs.properties has timezone=local.", quoted(zones))
	a.set("abs.timezone", zones[0])
}

// wellKnown are zones of many people, to name one at an offset.
var wellKnown = []string{
	"UTC", "Asia/Kolkata", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "Europe/London",
	"Europe/Berlin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Moscow", "America/Sao_Paulo", "America/Halifax", "America/St_Johns",
	"America/Anchorage", "Pacific/Honolulu", "America/Bogota", "America/Mexico_City", "Africa/Lagos", "Africa/Johannesburg", "Africa/Nairobi",
	"Asia/Dubai", "Asia/Tehran", "Asia/Kabul", "Asia/Karachi", "Asia/Kathmandu", "Asia/Dhaka", "Asia/Yangon", "Asia/Jakarta", "Asia/Shanghai",
	"Asia/Singapore", "Asia/Tokyo", "Australia/Adelaide", "Australia/Darwin", "Australia/Sydney", "Australia/Brisbane", "Pacific/Auckland",
}

func zonesAt(offset time.Duration, now time.Time) (names []string) {
	for _, name := range wellKnown {
		if zone, err := time.LoadLocation(name); err == nil && offsetOf(zone, now) == offset {
			names = append(names, name)
		}
	}
	return names
}
