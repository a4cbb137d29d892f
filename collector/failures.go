package collector

import (
	"log/slog"

	"github.com/abs-exporter/abs-exporter/collector/findings"
)

// keptFailures is how many failures the status page shows.
const keptFailures = 10

// failures records what went wrong, in the log and for the status page.
type failures struct {
	clock  Clock
	log    *slog.Logger
	recent []ErrorStatus // newest first
}

// add records a failure. The consequence says what follows from it for the data.
func (f *failures) add(message string, err error, consequence string) {
	f.log.Warn(message, "err", err, "consequence", consequence) //nolint:sloglint // constant where add is called
	f.record(message, err, consequence)
}

// panicked records a panic of the target's loop.
func (f *failures) panicked(p *findings.Panic, consequence string) {
	const message = "target panicked"
	f.log.Error(message, "err", p, "stack", p.Stack, "consequence", consequence)
	f.record(message, p, consequence)
}

func (f *failures) record(message string, err error, consequence string) {
	f.recent = append([]ErrorStatus{{At: f.clock.Now(), What: message + ": " + err.Error() + "; " + consequence}}, f.recent...)
	if len(f.recent) > keptFailures {
		f.recent = f.recent[:keptFailures]
	}
}
