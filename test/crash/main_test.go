package crash

import (
	"flag"
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

var (
	hoursFlag  = flag.Float64("crash.hours", 20, "ABS's hours of traffic in the main run")
	killsFlag  = flag.Int("crash.kills", 100, "how often the main run kills the exporter")
	factorFlag = flag.Float64("crash.factor", 1200, "how much faster than the machine's clock time runs")
	seedFlag   = flag.Uint64("crash.seed", 1, "what instants, traffic and faults are drawn from")
	logsFlag   = flag.String("crash.logs", "", "folder to keep the exporters' debug logs in")
)

// together is how many runs are in parallel. They wait most of the time.
const together = 8

func TestMain(m *testing.M) {
	tools.Together(together)
	os.Exit(tools.Main(m))
}
