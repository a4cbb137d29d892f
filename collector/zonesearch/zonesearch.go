// Package zonesearch finds the newest requests that an ABS reports, and which offset from UTC they
// fit: serve and check look for a wrong time zone with it.
package zonesearch

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

const (
	// MostLate is by how much requests may be late in a right zone: ABS's job may take two hours, and
	// before it a batch gathers for ten minutes. A zone that is ahead of ABS's by less looks alike.
	MostLate = 150 * time.Minute
	// MostAhead is how far ahead the clock of a node that logs requests may be at most. It is no zone.
	MostAhead = 10 * time.Minute
	// Quarter is the grid of the offsets of zones.
	Quarter = 15 * time.Minute
)

// offsets are the offsets from UTC in use, summer times included.
var offsets = hours(-11, -10, -9.5, -9, -8, -7, -6, -5, -4, -3.5, -3, -2.5, -2, -1, 0, 1, 2, 3, 3.5, 4, 4.5, 5, 5.5, 5.75,
	6, 6.5, 7, 8, 8.75, 9, 9.5, 10, 10.5, 11, 12, 12.75, 13, 13.75, 14)

func hours(hours ...float64) []time.Duration {
	all := make([]time.Duration, len(hours))
	for i, h := range hours {
		all[i] = time.Duration(h * float64(time.Hour))
	}
	return all
}

// Holds requests a window and reports whether it holds requests. ErrWindowRefused says that ABS
// refuses this window, and may answer for another one.
type Holds func(ctx context.Context, from, to time.Time) (bool, error)

// ErrWindowRefused is an error of Holds.
var ErrWindowRefused = errors.New("ABS refuses the window")

// RefusesWindow reports whether ABS may answer for another window: what it refuses is this one, and
// not the keys, and it is neither slow nor out of order. tooLarge says that a shorter window may
// succeed.
func RefusesWindow(err error, tooLarge bool) bool {
	switch e := (*abs.Error)(nil); {
	case abs.ReasonOf(err) == abs.ReasonTimeout:
		return false
	case errors.As(err, &e) && e.Reason == abs.ReasonStatus && e.Status < http.StatusInternalServerError:
		return e.Status != http.StatusTooManyRequests
	default:
		return tooLarge
	}
}

// Loosely is holds, but false where the window has no minutes or is refused.
func Loosely(ctx context.Context, holds Holds, from, to time.Time) (bool, error) {
	if !from.Before(to) {
		return false, nil
	}
	some, err := holds(ctx, from, to)
	if errors.Is(err, ErrWindowRefused) {
		err = nil
	}
	return some, err
}

// LastAhead returns what the clock shows now in the zone that is most ahead, as an instant of the
// zone that is set, whose offset from UTC is set.
func LastAhead(now time.Time, set time.Duration) time.Time {
	return now.Truncate(time.Minute).Add(offsets[len(offsets)-1] - set)
}

// Ahead returns the newest quarter of an hour that holds requests and is still to come in the zone
// that is set, which no late request explains; zero where there is none.
func Ahead(ctx context.Context, holds Holds, now time.Time, set time.Duration) (time.Time, error) {
	return Newest(ctx, holds, now.Truncate(time.Minute).Add(MostAhead), LastAhead(now, set), Quarter)
}

// Behind returns the newest quarter of an hour before MostLate that holds requests, approximately.
// It is zero without one, and where there are younger requests: these may just be late.
func Behind(ctx context.Context, holds Holds, minute time.Time, set time.Duration) (time.Time, error) {
	to := minute.Add(-MostLate)
	if some, err := Loosely(ctx, holds, to, minute); some || err != nil {
		return time.Time{}, err
	}
	last := minute.Add(offsets[0] - set - time.Hour)
	for to.After(last) {
		from := to.Add(-6 * Quarter)
		if newest, err := Newest(ctx, holds, from, to, Quarter); err != nil || !newest.IsZero() {
			return newest, err
		}
		to = from
	}
	return time.Time{}, nil
}

// Newest returns the beginning of the newest part of a window, of the length step or a little less,
// that holds requests; zero where none does. An ABS may refuse windows in the future: then the
// early half is requested first, and the late one only if that is answered.
func Newest(ctx context.Context, holds Holds, from, to time.Time, step time.Duration) (time.Time, error) {
	if !from.Before(to) {
		return time.Time{}, nil
	}
	some, err := holds(ctx, from, to)
	switch {
	case errors.Is(err, ErrWindowRefused):
		return newestBeforeRefused(ctx, holds, from, to, step)
	case err != nil, !some:
		return time.Time{}, err
	}
	for to.Sub(from) > step {
		middle := middle(from, to)
		late, err := Newest(ctx, holds, middle, to, step)
		if err != nil || !late.IsZero() {
			return late, err
		}
		to = middle
	}
	return from, nil
}

// newestBeforeRefused is Newest of a window that was refused.
func newestBeforeRefused(ctx context.Context, holds Holds, from, to time.Time, step time.Duration) (time.Time, error) {
	for to.Sub(from) > step {
		middle := middle(from, to)
		some, err := holds(ctx, from, middle)
		switch {
		case errors.Is(err, ErrWindowRefused):
			to = middle
			continue
		case err != nil:
			return time.Time{}, err
		}
		late, err := Newest(ctx, holds, middle, to, step)
		if err != nil || !late.IsZero() || !some {
			return late, err
		}
		return Newest(ctx, holds, from, middle, step)
	}
	return time.Time{}, nil
}

func middle(from, to time.Time) time.Time {
	return from.Add(to.Sub(from) / 2).Truncate(time.Minute)
}

// LeastOffset returns the least offset from UTC in use that is d or more.
func LeastOffset(d time.Duration) time.Duration {
	for _, o := range offsets {
		if o >= d {
			return o
		}
	}
	return offsets[len(offsets)-1]
}

// OffsetText returns an offset as ISO 8601 writes it.
func OffsetText(d time.Duration) string {
	return time.Time{}.In(time.FixedZone("", int(d/time.Second))).Format("-07:00")
}
