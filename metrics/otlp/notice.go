package otlp

import (
	"log/slog"
	"time"
)

// quiet is how long a failure that goes on is not told again.
const quiet = 5 * time.Minute

// notice tells the log of failures that repeat: the first at once, then one line in a while, then that it is over.
type notice struct {
	log     *slog.Logger
	what    string
	told    time.Time
	since   time.Time // of the first failure; zero: all is well
	unsaid  int
	partial time.Time // a partial success was told
}

func (n *notice) failed(now time.Time, err error, consequence string) {
	if n.since.IsZero() {
		n.since = now
	}
	if !n.told.IsZero() && now.Sub(n.told) < quiet {
		n.unsaid++
		return
	}
	n.log.Warn(n.what+" could not be pushed over OTLP", "err", err, "consequence", consequence, "since", n.since.UTC(), "unsaid", n.unsaid)
	n.told, n.unsaid = now, 0
}

func (n *notice) succeeded(now time.Time) {
	if n.since.IsZero() {
		return
	}
	n.log.Info(n.what+" are pushed over OTLP again", "failing_for", now.Sub(n.since).Round(time.Second).String())
	n.since = time.Time{}
	// told stays: a receiver that comes and goes does not fill the log either.
}

func (n *notice) refusedSome(now time.Time, r reply) {
	if !n.partial.IsZero() && now.Sub(n.partial) < quiet {
		return
	}
	n.partial = now
	n.log.Warn("the OTLP receiver refused a part of "+n.what, "refused", r.rejected, "receiver_says", r.message)
}
