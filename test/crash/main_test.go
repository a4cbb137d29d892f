package crash

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

var (
	hoursFlag  = flag.Float64("crash.hours", 48, "ABS's hours of traffic in the main run")
	killsFlag  = flag.Int("crash.kills", 200, "how often the main run kills the exporter")
	factorFlag = flag.Float64("crash.factor", 1200, "how much faster than the machine's clock time runs")
	seedFlag   = flag.Uint64("crash.seed", 1, "what instants, traffic and faults are drawn from")
	logsFlag   = flag.String("crash.logs", "", "folder to keep the exporters' debug logs in")
)

// together is how many runs are in parallel. They wait most of the time, so they can be more than
// there are cores.
const together = "6"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	chosen := false
	flag.Parse() //nolint:revive // TestMain is a test's main, and this its second half
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", together); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return tools.Main(m)
}
