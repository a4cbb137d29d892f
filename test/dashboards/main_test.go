package dashboards

import (
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// The tests in parallel wait for a demo and its scrapes.
func TestMain(m *testing.M) {
	tools.Together(8)
	os.Exit(tools.Main(m))
}
