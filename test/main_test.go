package test

import (
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// The tests wait for cycles, scrapes and ends of minutes.
func TestMain(m *testing.M) {
	tools.Together(8)
	os.Exit(tools.Main(m))
}
