package crash

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
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

// together is how many runs go on at once. They wait most of the time, so that they
// may be more than there are cores.
const together = "6"

// binaryDir holds the binary under test, built when the first test asks for it.
var binaryDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	asked := false
	flag.Parse() //nolint:revive // TestMain is a test's main, and this its second half
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	dir, err := os.MkdirTemp("", "abs-exporter-crash-")
	if err == nil && !asked {
		err = flag.Set("test.parallel", together)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // left over, it harms no one
	binaryDir = dir
	return m.Run()
}

// binary is the path of abs-exporter, built from this checkout with a clock that tests
// can set.
func binary(tb testing.TB) string {
	tb.Helper()
	path, err := build(tools.Root(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

var (
	buildOnce sync.Once
	errBuild  error
)

func build(root string) (string, error) {
	path := filepath.Join(binaryDir, "abs-exporter")
	buildOnce.Do(func() {
		cmd := exec.Command("go", "build", "-tags", "abs_fastclock", "-o", path, "./cmd/abs-exporter")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("building abs-exporter: %w\n%s", err, out)
		}
	})
	return path, errBuild
}
