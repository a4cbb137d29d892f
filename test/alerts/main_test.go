package alerts

import (
	"flag"
	"os"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

func TestMain(m *testing.M) {
	// The longest tests wait for windows of a minute, and use little of a processor meanwhile. By
	// default as many run at once as there are processors.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(tools.Main(m))
}
