package check

import (
	"context"
	"time"
)

// age is how old the newest requests are.
type age struct {
	least, most time.Duration // 0: there are none in farBack
	err         error
}

// farBack is how far back the newest requests are looked for.
const farBack = 160 * time.Minute

// searchNewest looks for the newest requests, in windows that double backwards from the present: so
// none is longer than it must be.
func (i *inspection) searchNewest(ctx context.Context) age {
	holds := i.asker.holds("the newest requests", 12)
	now := i.present()
	to := now
	for width := 10 * time.Minute; width <= farBack; width *= 2 {
		from := now.Add(-width)
		some, err := holds(ctx, from, to)
		if err == nil && some {
			from, to, err = newest(ctx, holds, from, to, max(time.Minute, width/8))
		}
		if err != nil || some {
			return age{now.Sub(to), now.Sub(from), err}
		}
		to = from
	}
	return age{}
}

// lateness says whether the times fit the age of the newest requests, which timeZone has found.
func (i *inspection) lateness(_ context.Context, a *Answer) {
	switch {
	case i.zoned:
		a.unknown("Not asked: the time zone is to be set first.")
	case i.age.err != nil:
		a.unknown("It could not be found out: %s.", failure(i.age.err))
	case i.age.most == 0:
		a.unknown("The last %s have no requests: either there is no traffic, or ABS gets no logs, or the time zone is wrong.", length(farBack))
	default:
		late{i.age, i.target.Collect.Settle, i.target.Collect.Window, i.target.Collect.Interval}.answer(a)
	}
}

// late is how late the newest requests are, and the times that depend on it.
type late struct {
	age
	settle, window, interval time.Duration
}

// batch is how often ABS gets logs.
const batch = 10 * time.Minute

func (l late) answer(a *Answer) {
	a.found("The newest requests are %s to %s old. ABS works in batches of ten minutes, so their age rises and falls by that much.",
		length(max(l.least, 0)), length(l.most))
	// A look at one moment shows the usual lateness, not the longest.
	least := l.most + l.most/2 + batch
	roomy := func(flag string, set time.Duration, otherwise string) {
		if set >= least {
			a.found("--%s (%s) fits.", flag, length(set))
			return
		}
		a.fix("--%s (%s) is too short for that: %s.", flag, length(set), otherwise)
		a.set(flag, length((2*l.most+batch).Truncate(30*time.Minute)+30*time.Minute))
	}
	roomy("collect.settle", l.settle, "what ABS adds later is counted by the audit only, under _other")
	roomy("collect.window", l.window, "attacks would not be seen")
	if l.interval > batch {
		a.found("--collect.interval (%s) is longer than a batch of ABS: requests and attacks are seen later than they could be.", length(l.interval))
	} else {
		a.found("--collect.interval (%s) fits.", length(l.interval))
	}
}
