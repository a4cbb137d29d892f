package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// binaryDir holds the binary under test, built when the first test asks for it.
var binaryDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "abs-exporter-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // left over, it harms no one
	binaryDir = dir
	return m.Run()
}

// binary is the path of abs-exporter, built from this checkout as it is now.
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
		cmd := exec.Command("go", "build", "-o", path, "./cmd/abs-exporter")
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			errBuild = fmt.Errorf("building abs-exporter: %w\n%s", err, out)
		}
	})
	return path, errBuild
}
