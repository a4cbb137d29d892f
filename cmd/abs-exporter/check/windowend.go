package check

import (
	"context"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// adjoining is two adjoining windows and the one that they make up.
type adjoining struct {
	early, union, late int64 // requests
	// sure: the minute at the seam holds requests, so a wrong setting makes a difference.
	sure bool
}

func (w adjoining) difference() int64 { return w.early + w.late - w.union }

// ample is how many requests a minute make it sure enough that the minute at a seam has some.
const ample = 5

// windowEnd compares two settled windows with their union. Where requests are few, the seam is put
// where a minute has some.
func (i *inspection) windowEnd(ctx context.Context, a *Answer) {
	to := i.settled()
	from := to.Add(-20 * time.Minute)
	seam := to.Add(-10 * time.Minute)
	set := i.asker.config.WindowEnd
	w, err := i.compare(ctx, from, seam, to)
	if err == nil && w.difference() == 0 && w.union > 0 && w.union < 20*ample {
		if seam, err = i.busySeam(ctx, from, to); err == nil && from.Before(seam) && seam.Before(to) {
			w, err = i.compare(ctx, from, seam, to)
			w.sure = true
		}
	}
	if err == nil && w.difference() != 0 {
		before := w.difference()
		if w, err = i.compare(ctx, from, seam, to); err == nil && w.difference() != before {
			a.unknown("ABS adds requests to a window that ended %s ago: the windows cannot be compared. Ask again later.", length(i.present().Sub(to)))
			return
		}
	}
	if err != nil {
		a.unknown("It could not be found out: %s.", failure(err))
		return
	}
	w.answer(a, set)
}

// compare reads two windows that adjoin at seam, and both in one.
func (i *inspection) compare(ctx context.Context, from, seam, to time.Time) (w adjoining, err error) {
	for _, part := range []struct {
		from, to time.Time
		requests *int64
	}{{from, seam, &w.early}, {from, to, &w.union}, {seam, to, &w.late}} {
		r := i.asker.tokens(ctx, abs.Window{From: part.from, To: part.to}, "two windows and their union", noRow)
		if r.err != nil {
			return w, r.err
		}
		*part.requests = r.summary.RowRequests
	}
	w.sure = w.union >= 20*ample
	return w, nil
}

// busySeam returns a seam whose minute holds requests: the last one of the window that does. With
// windows taken as inclusive, the minute before the seam is the one that shows.
func (i *inspection) busySeam(ctx context.Context, from, to time.Time) (time.Time, error) {
	step, after := time.Minute, time.Duration(0)
	if i.target.Inclusive() {
		step, after = 2*time.Minute, time.Minute
	}
	found, _, err := newest(ctx, i.asker.holds("a minute with requests", 6), from, to, step)
	return found.Add(after), err
}

func (w adjoining) answer(a *Answer, set abs.WindowEnd) {
	name := map[abs.WindowEnd]string{abs.Exclusive: "exclusive", abs.Inclusive: "inclusive"}
	should, explained := abs.WindowEndOf(w.difference(), set)
	sums := number(w.early) + " and " + number(w.late) + " requests, together " + number(w.union)
	switch {
	case w.union == 0 && w.difference() == 0:
		a.unknown("There are no requests to compare. serve compares windows too, once there are.")
	case !explained:
		a.fix("Two adjoining windows have %s. No setting explains that: requests near the ends of slots may be missing, or counted twice.", sums)
	case should != set && should == abs.Inclusive:
		a.fix("It is: two adjoining windows have %s, so the minute at the seam is in both.", sums)
		a.set("abs.window-end", name[should])
	case should != set:
		a.fix("It is not: two adjoining windows have %s, so the minute at the seam is in neither.", sums)
		a.set("abs.window-end", name[should])
	case !w.sure:
		a.unknown("Windows add up (%s), but the minute at the seam may have had no requests.", sums)
	default:
		a.found("As --abs.window-end=%s says; two adjoining windows have %s.", name[set], sums)
	}
}
