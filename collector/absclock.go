package collector

import (
	"log/slog"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

const (
	// maxSkew is how far ABS's clock may differ from ours without a log line.
	maxSkew = time.Minute
	// skewSteady is how long the clocks must agree before the recovery is logged: one of several
	// nodes may be wrong.
	skewSteady = 10 * time.Minute
	// atOnce is an age below which no request is reported by an ABS that gets its logs in batches
	// of ten minutes: the first minutes of a slot are read before their batch has ended.
	atOnce = 4 * time.Minute
)

// absClock tracks what answers show about ABS's clock and about the age of the requests that it
// reports.
type absClock struct {
	skew      func(float64) // sets the gauge, in seconds
	log       *slog.Logger
	ahead     time.Duration // ABS's clock less ours; 0 where no answer showed it
	apart     time.Time     // since when it is past maxSkew; zero: it is not
	lastApart time.Time
	newest    time.Time // the newest beginning of a span that held requests
	young     int       // how many readings in a row of the first minutes of a slot held requests
	// wrongZone says that zoneCheck warned. That is its end, until another zone is configured.
	wrongZone bool
}

// saw records the clock of an answer. A difference is logged once, and so is its end.
func (a *absClock) saw(c abs.Clock) {
	skew, uncertainty, ok := c.Skew()
	if !ok {
		return
	}
	a.ahead = skew
	a.skew(skew.Seconds())
	switch steady := c.Received.Sub(a.lastApart); {
	case skew.Abs()-uncertainty > maxSkew:
		if a.apart.IsZero() {
			a.apart = c.Received
			a.log.Warn("clock of ABS differs", "skew", skew.Round(time.Second), "abs", c.Date.UTC(), "here", c.Received.UTC(),
				"consequence", "the requested windows are shifted by the skew, and no slot settles while it is longer than a slot; synchronise the clock that is wrong")
		}
		a.lastApart = c.Received
	case !a.apart.IsZero() && skew.Abs()+uncertainty <= maxSkew && (steady < 0 || steady >= skewSteady):
		a.log.Info("clock of ABS agrees again", "skew", skew.Round(time.Second), "after", c.Received.Sub(a.apart).Round(time.Second))
		a.apart = time.Time{}
	}
}

// held records whether a span that was read by now held requests.
func (a *absClock) held(s ledger.Span, requests int64, now time.Time) {
	if requests > 0 && s.From.After(a.newest) {
		a.newest = s.From
	}
	switch {
	case now.Sub(s.From) > atOnce:
	case requests > 0:
		a.young++
	default:
		a.young = 0
	}
}

// logTarget logs which ABS is polled, and which local time it should have now.
func (t *target) logTarget(now time.Time) {
	local := now.In(t.Location).Format("2006-01-02T15:04-07:00")
	t.log.Info("polling target", "host", t.host, "timezone", t.Location.String(), "local_time", local)
}
