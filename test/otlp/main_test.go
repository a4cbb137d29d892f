package otlp

import (
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// The tests wait for intervals and time-outs.
func TestMain(m *testing.M) {
	tools.Together(16)
	os.Exit(m.Run())
}
