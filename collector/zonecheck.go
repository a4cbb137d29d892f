package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/zonesearch"
)

const (
	// zoneCalls bounds the extra calls of one check.
	zoneCalls = 25
	// zonePause is after how long without new requests the zone is checked again.
	zonePause = 2 * time.Hour
	// zoneRetry is after how long a check goes on that a failed call ended.
	zoneRetry = 15 * time.Minute
	// zoneMargin is how far ahead the clock of a node that logs requests may be as a rule. It is no
	// zone.
	zoneMargin = 2 * time.Minute

	// batchTime is a batch of ABS and some: meanwhile the newest request is as young as it becomes.
	batchTime = 12 * time.Minute

	// Data that follow the present at a distance are checked zoneFits times, zoneStep apart. A feed
	// that stands still, or a backlog, does not keep the distance.
	zoneStep = 40 * time.Minute
	zoneFits = 4
	// zoneRaises is how often the offset may turn out to be larger. Of a backlog it always does.
	zoneRaises = 2
)

// zoneCheck looks for a wrong --abs.timezone, which fails nothing. Where the zone is behind ABS's,
// ABS has requests of what is still to come: no other reason makes that. Where it is ahead, hours
// in the past get requests and the present has none. A quiet night, an outage and its backlog look
// like that once, but do not keep the distance. Of neither is the offset sure to the quarter of an
// hour: it is the least in use that leaves no request in the future.
type zoneCheck struct {
	*wiring
	began bool
	next  time.Time // no check before
	until time.Time // no call of the cycle from then on
	calls int       // of the check that is under way
	guess *zoneGuess
}

// zoneGuess is an offset that is being observed.
type zoneGuess struct {
	offset time.Duration // from UTC
	ahead  bool          // ABS is ahead of the zone that is set
	since  time.Time     // the offset was taken
	next   time.Time     // observation
	fits   int           // observations
	raises int
}

// poll implements report.
func (k *zoneCheck) poll(ctx context.Context, c *cycle) (publish bool) {
	now := k.clock.Now().Add(k.absClock.ahead)
	k.until = c.began.Add(k.options.Interval)
	recent := now.Sub(k.absClock.newest) < zonesearch.MostLate
	switch {
	case k.absClock.wrongZone || c.failed > 0 || k.clockChanges(now):
		return false
	case now.Before(k.next):
	case k.guess != nil && !now.Before(k.guess.next):
		k.done(c, now, k.observe(ctx, now, recent))
	case k.guess == nil && (!k.began || k.absClock.young >= 3 || now.Sub(k.absClock.newest) >= zonePause):
		k.done(c, now, k.search(ctx, now, recent))
	}
	return false
}

// clockChanges reports whether the clock changes within the hours that a check requests: its
// distances would be wrong by an hour.
func (k *zoneCheck) clockChanges(now time.Time) bool {
	return k.offset(now.Add(-24*time.Hour)) != k.offset(now.Add(24*time.Hour))
}

// offset returns that of --abs.timezone from UTC.
func (k *zoneCheck) offset(t time.Time) time.Duration {
	_, seconds := t.In(k.Location).Zone()
	return time.Duration(seconds) * time.Second
}

// Why ABS did not say whether a window holds requests.
var (
	errZoneCalls = errors.New("the check has made all of its calls")
	errZoneTime  = errors.New("the interval is used up")
)

// done ends a check that found nothing or has used up its calls. After a call that failed for
// another reason it goes on later.
func (k *zoneCheck) done(c *cycle, now time.Time, err error) {
	switch {
	case err != nil && !errors.Is(err, errZoneCalls):
		k.log.Debug("time zone not checked", "err", err)
		k.next = now.Add(zoneRetry)
		if abs.ReasonOf(err) == abs.ReasonAuth {
			c.failed++
			c.refused = true
			k.failures.ReportFailed(abs.ReportTokens, err, "the time zone is not checked")
		}
	case err != nil || k.guess == nil:
		k.log.Debug("time zone checked", "calls", k.calls, "err", err)
		k.began, k.guess, k.calls, k.next = true, nil, 0, now.Add(zonePause)
	default:
		k.began = true
	}
}

// search requests the hours around now, those ahead first, to find the newest requests of ABS.
func (k *zoneCheck) search(ctx context.Context, now time.Time, recent bool) error {
	newest, err := zonesearch.Ahead(ctx, k.holds, now, k.offset(now))
	if err != nil {
		return err
	}
	if newest.IsZero() {
		if recent {
			return nil // the younger requests may just be late
		}
		if newest, err = zonesearch.Behind(ctx, k.holds, now.Truncate(time.Minute), k.offset(now)); err != nil || newest.IsZero() {
			return err
		}
	}
	shift := newest.Add(time.Minute).Sub(now)
	k.guess = &zoneGuess{offset: zonesearch.LeastOffset(k.offset(now) + shift), ahead: shift > 0, since: now}
	return k.observe(ctx, now, recent)
}

// observe checks whether the data still fit the guess, and logs a warning once they have for long
// enough.
func (k *zoneCheck) observe(ctx context.Context, now time.Time, recent bool) error {
	g := k.guess
	present := now.Truncate(time.Minute).Add(g.offset - k.offset(now)) // if the guess is right
	latest := zonesearch.LastAhead(now, k.offset(now))
	if !g.ahead {
		latest = now.Truncate(time.Minute)
	}
	beyond, err := zonesearch.Loosely(ctx, k.holds, present.Add(zoneMargin), latest)
	switch {
	case err != nil:
		return err
	case !g.ahead && (recent || beyond && g.raises == zoneRaises):
		k.guess = nil // requests are late, not elsewhere
	case beyond:
		g.offset, g.since, g.fits = zonesearch.LeastOffset(g.offset+time.Minute), now, 0
		g.raises++
		g.next = now
	case !g.ahead && k.offset(now)-g.offset < zonesearch.MostLate:
		k.guess = nil
	case !g.ahead || now.Sub(g.since) >= batchTime:
		return k.confirm(ctx, now, present)
	}
	return nil
}

// confirm checks whether requests follow the present of the guess closely.
func (k *zoneCheck) confirm(ctx context.Context, now, present time.Time) error {
	g := k.guess
	some, err := zonesearch.Loosely(ctx, k.holds, present.Add(-zoneStep), present)
	switch {
	case err != nil:
		return err
	case !some:
		k.guess = nil // nothing new since: a pause
	default:
		g.next = now.Add(zoneStep)
		if g.fits++; g.ahead || g.fits == zoneFits {
			k.warn(now)
		}
	}
	return nil
}

func (k *zoneCheck) warn(now time.Time) {
	set := k.offset(now)
	consequence := fmt.Sprintf("requests and attacks are seen %v late", k.guess.offset-set)
	if !k.guess.ahead {
		consequence = fmt.Sprintf("each window is requested %v too early: requests and attacks are seen that late, or never", set-k.guess.offset)
	}
	k.failures.Add("time zone seems wrong",
		fmt.Errorf("what ABS holds fits a wall clock at UTC%s; --abs.timezone=%s is at UTC%s", zonesearch.OffsetText(k.guess.offset), k.Location, zonesearch.OffsetText(set)),
		consequence+"; set --abs.timezone to the zone of ABS")
	k.absClock.wrongZone, k.guess = true, nil
}

// holds requests a window and reports whether it holds requests.
func (k *zoneCheck) holds(ctx context.Context, from, to time.Time) (bool, error) {
	switch {
	case k.calls == zoneCalls:
		return false, errZoneCalls
	case !k.clock.Now().Before(k.until): // ABS is slow
		return false, errZoneTime
	}
	k.calls++
	s, err := k.ABS.Tokens(ctx, abs.Window{From: from, To: to}, func(*abs.Row) error { return nil })
	k.absClock.saw(s.Clock)
	k.countEmpty(s, err)
	k.heartbeat()
	switch {
	case err != nil && (ctx.Err() != nil || !zonesearch.RefusesWindow(err, k.tooLarge(err))):
		return false, err
	case err != nil, !s.Earlier.IsZero() && !s.Earlier.Equal(from):
		return false, zonesearch.ErrWindowRefused
	}
	return s.RowRequests > 0 || s.Requests > 0, nil
}
