package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

const (
	// zoneCalls bounds the extra calls of one check.
	zoneCalls = 25
	// zonePause is after how long without new requests the zone is checked again.
	zonePause = 2 * time.Hour
	// zoneRetry is after how long a check goes on that a failed call ended.
	zoneRetry = 15 * time.Minute
	// mostLate is by how much requests may be late in a right zone: ABS's job may take two hours, and
	// before it a batch gathers for ten minutes. A zone that is ahead of ABS's by less looks alike.
	mostLate = 150 * time.Minute
	// zoneMargin is how far ahead the clock of a node that logs requests may be as a rule, and
	// mostAhead how far at most. It is no zone.
	zoneMargin = 2 * time.Minute
	mostAhead  = 10 * time.Minute
	// quarter is the grid of the offsets of zones.
	quarter = 15 * time.Minute

	// batchTime is a batch of ABS and some: meanwhile the newest request is as young as it becomes.
	batchTime = 12 * time.Minute

	// Data that follow the present at a distance are checked zoneFits times, zoneStep apart. A feed
	// that stands still, or a backlog, does not keep the distance.
	zoneStep = 40 * time.Minute
	zoneFits = 4
	// zoneRaises is how often the offset may turn out to be larger. Of a backlog it always does.
	zoneRaises = 2
)

// zoneOffsets are the offsets from UTC in use, summer times included.
var zoneOffsets = hours(-11, -10, -9.5, -9, -8, -7, -6, -5, -4, -3.5, -3, -2.5, -2, -1, 0, 1, 2, 3, 3.5, 4, 4.5, 5, 5.5, 5.75,
	6, 6.5, 7, 8, 8.75, 9, 9.5, 10, 10.5, 11, 12, 12.75, 13, 13.75, 14)

func hours(hours ...float64) []time.Duration {
	all := make([]time.Duration, len(hours))
	for i, h := range hours {
		all[i] = time.Duration(h * float64(time.Hour))
	}
	return all
}

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
	recent := now.Sub(k.absClock.newest) < mostLate
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
	errWindowRefused = errors.New("ABS refuses the window")
	errZoneCalls     = errors.New("the check has made all of its calls")
	errZoneTime      = errors.New("the interval is used up")
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
			k.failures.reportFailed(abs.ReportTokens, err, "the time zone is not checked")
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
	minute := now.Truncate(time.Minute)
	newest, err := k.newest(ctx, minute.Add(mostAhead), k.lastAhead(now))
	if err != nil {
		return err
	}
	if newest.IsZero() {
		if newest, err = k.newestBehind(ctx, minute, recent); err != nil || newest.IsZero() {
			return err
		}
	}
	shift := newest.Add(time.Minute).Sub(now)
	k.guess = &zoneGuess{offset: leastOffset(k.offset(now) + shift), ahead: shift > 0, since: now}
	return k.observe(ctx, now, recent)
}

// lastAhead returns what the clock shows now in the zone that is most ahead, as an instant of
// --abs.timezone.
func (k *zoneCheck) lastAhead(now time.Time) time.Time {
	return now.Truncate(time.Minute).Add(zoneOffsets[len(zoneOffsets)-1] - k.offset(now))
}

// newestBehind returns the newest quarter of an hour before mostLate that holds requests,
// approximately. It is zero without one, and where there are younger requests: these may just be
// late.
func (k *zoneCheck) newestBehind(ctx context.Context, minute time.Time, recent bool) (time.Time, error) {
	to := minute.Add(-mostLate)
	if recent {
		return time.Time{}, nil
	}
	if some, err := k.holds(ctx, to, minute); some || err != nil {
		return time.Time{}, unlessRefused(err)
	}
	last := minute.Add(zoneOffsets[0] - k.offset(minute) - time.Hour)
	for to.After(last) {
		from := to.Add(-6 * quarter)
		if newest, err := k.newest(ctx, from, to); err != nil || !newest.IsZero() {
			return newest, err
		}
		to = from
	}
	return time.Time{}, nil
}

// newest returns the beginning of the newest quarter of an hour of a window, or a little less, that
// holds requests; zero where none does. An ABS may refuse windows in the future: then the early
// half is requested first, and the late one only if that is answered.
func (k *zoneCheck) newest(ctx context.Context, from, to time.Time) (time.Time, error) {
	if !from.Before(to) {
		return time.Time{}, nil
	}
	some, err := k.holds(ctx, from, to)
	switch {
	case errors.Is(err, errWindowRefused):
		return k.newestBeforeRefused(ctx, from, to)
	case err != nil, !some:
		return time.Time{}, err
	}
	for to.Sub(from) > quarter {
		middle := middle(from, to)
		late, err := k.newest(ctx, middle, to)
		if err != nil || !late.IsZero() {
			return late, err
		}
		to = middle
	}
	return from, nil
}

// newestBeforeRefused is newest of a window that was refused.
func (k *zoneCheck) newestBeforeRefused(ctx context.Context, from, to time.Time) (time.Time, error) {
	for to.Sub(from) > quarter {
		middle := middle(from, to)
		some, err := k.holds(ctx, from, middle)
		switch {
		case errors.Is(err, errWindowRefused):
			to = middle
			continue
		case err != nil:
			return time.Time{}, err
		}
		late, err := k.newest(ctx, middle, to)
		if err != nil || !late.IsZero() || !some {
			return late, err
		}
		return k.newest(ctx, from, middle)
	}
	return time.Time{}, nil
}

func middle(from, to time.Time) time.Time {
	return from.Add(to.Sub(from) / 2).Truncate(time.Minute)
}

// observe checks whether the data still fit the guess, and logs a warning once they have for long
// enough.
func (k *zoneCheck) observe(ctx context.Context, now time.Time, recent bool) error {
	g := k.guess
	present := now.Truncate(time.Minute).Add(g.offset - k.offset(now)) // if the guess is right
	latest := k.lastAhead(now)
	if !g.ahead {
		latest = now.Truncate(time.Minute)
	}
	beyond, err := k.loosely(ctx, present.Add(zoneMargin), latest)
	switch {
	case err != nil:
		return err
	case !g.ahead && (recent || beyond && g.raises == zoneRaises):
		k.guess = nil // requests are late, not elsewhere
	case beyond:
		g.offset, g.since, g.fits = leastOffset(g.offset+time.Minute), now, 0
		g.raises++
		g.next = now
	case !g.ahead && k.offset(now)-g.offset < mostLate:
		k.guess = nil
	case !g.ahead || now.Sub(g.since) >= batchTime:
		return k.confirm(ctx, now, present)
	}
	return nil
}

// confirm checks whether requests follow the present of the guess closely.
func (k *zoneCheck) confirm(ctx context.Context, now, present time.Time) error {
	g := k.guess
	some, err := k.loosely(ctx, present.Add(-zoneStep), present)
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

// loosely is holds, but false where the window has no minutes or is refused.
func (k *zoneCheck) loosely(ctx context.Context, from, to time.Time) (bool, error) {
	if !from.Before(to) {
		return false, nil
	}
	some, err := k.holds(ctx, from, to)
	return some, unlessRefused(err)
}

func (k *zoneCheck) warn(now time.Time) {
	set := k.offset(now)
	consequence := fmt.Sprintf("requests and attacks are seen %v late", k.guess.offset-set)
	if !k.guess.ahead {
		consequence = fmt.Sprintf("each window is requested %v too early: requests and attacks are seen that late, or never", set-k.guess.offset)
	}
	k.failures.add("time zone seems wrong",
		fmt.Errorf("what ABS holds fits a wall clock at UTC%s; --abs.timezone=%s is at UTC%s", offsetText(k.guess.offset), k.Location, offsetText(set)),
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
	case err != nil && (ctx.Err() != nil || !k.refusesWindow(err)):
		return false, err
	case err != nil, !s.Earlier.IsZero() && !s.Earlier.Equal(from):
		return false, errWindowRefused
	}
	return s.RowRequests > 0 || s.Requests > 0, nil
}

func unlessRefused(err error) error {
	if errors.Is(err, errWindowRefused) {
		return nil
	}
	return err
}

// refusesWindow reports whether ABS may answer for another window: what it refuses is this one, and
// not the keys, and it is neither slow nor out of order.
func (k *zoneCheck) refusesWindow(err error) bool {
	switch e := (*abs.Error)(nil); {
	case abs.ReasonOf(err) == abs.ReasonTimeout:
		return false
	case errors.As(err, &e) && e.Reason == abs.ReasonStatus && e.Status < http.StatusInternalServerError:
		return e.Status != http.StatusTooManyRequests
	default:
		return k.tooLarge(err)
	}
}

// leastOffset returns the least offset in use that is d or more.
func leastOffset(d time.Duration) time.Duration {
	for _, o := range zoneOffsets {
		if o >= d {
			return o
		}
	}
	return zoneOffsets[len(zoneOffsets)-1]
}

// offsetText returns an offset as ISO 8601 writes it.
func offsetText(d time.Duration) string {
	return time.Time{}.In(time.FixedZone("", int(d/time.Second))).Format("-07:00")
}
