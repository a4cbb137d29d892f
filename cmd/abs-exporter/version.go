package main

import (
	"fmt"
	"io"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// version and revision are set at link time (-X main.version=1.2.3), because a build from an
// archive or in an image has no tag and no commit. Empty: what the Go toolchain recorded.
var version, revision string

func build() metrics.Build { return metrics.ReadBuild(version, revision) }

func printVersion(w io.Writer) error {
	b := build()
	_, err := fmt.Fprintf(w, "abs-exporter %s\ncommit %s\n%s\n", b.Version, b.Revision, b.GoVersion)
	return err
}
