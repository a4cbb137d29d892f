package alerts

import (
	"os"
	"runtime"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

func TestMain(m *testing.M) {
	// The longest tests wait for windows of a minute, and use little of a processor meanwhile: none
	// waits for another.
	tools.Together(64)
	os.Exit(tools.Main(m))
}

// processors has a place for each test that computes all the time. make test runs these by
// themselves, at the lowest priority.
var processors = make(chan struct{}, runtime.NumCPU())

// compute waits until a processor is free for the rest of the test.
func compute(t *testing.T) {
	processors <- struct{}{}
	t.Cleanup(func() { <-processors })
}
