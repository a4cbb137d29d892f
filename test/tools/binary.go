package tools

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// binaryDir is the directory of the binary under test. Main makes it.
var binaryDir string

// Main runs the tests of a package that calls Binary, and returns the exit status. It is for
// TestMain.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "abs-exporter-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // left over, it harms no one
	binaryDir = dir
	return m.Run()
}

// Together lets n tests run at once, unless a flag says how many: tests that wait can be more than
// there are processors, which is the default. It is for TestMain.
func Together(n int) {
	chosen := false
	flag.Parse() //nolint:revive // for TestMain
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if chosen {
		return
	}
	if err := flag.Set("test.parallel", strconv.Itoa(n)); err != nil {
		panic(err) // testing has no such flag any more
	}
}

var (
	buildOnce sync.Once
	errBuild  error
)

// Binary returns the path of abs-exporter, built from this checkout as it is now, with build tags.
// It is built once in a test process, so all calls in a package have to name the same tags. It ends
// the test where the build fails.
func Binary(tb testing.TB, tags ...string) string {
	tb.Helper()
	root, path := Root(tb), filepath.Join(binaryDir, "abs-exporter")
	buildOnce.Do(func() {
		cmd := exec.Command("go", "build", "-tags", strings.Join(tags, ","), "-o", path, "./cmd/abs-exporter")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("building abs-exporter: %w\n%s", err, out)
		}
	})
	if errBuild != nil {
		tb.Fatal(errBuild)
	}
	return path
}
