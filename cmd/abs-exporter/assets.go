package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/assets"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector/atomicfile"
)

// writeAssets writes all files of a format, or none if one would overwrite a file that somebody
// changed.
func writeAssets(c *config.Assets, stdout io.Writer) error {
	files, err := assets.Make(c.Format, assets.Settings{
		GrafanaURL: c.GrafanaURL, RunbookURL: c.RunbookURL, JobPattern: c.JobPattern, Labels: c.Label,
	})
	if err != nil {
		return err
	}
	var changed []error
	for _, f := range files {
		path := filepath.Join(c.Dir, filepath.FromSlash(f.Path))
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !bytes.Equal(old, f.Data) && !c.Force:
			changed = append(changed, fmt.Errorf("%s differs from what would be written, so nothing was written; --force overwrites it", path))
		}
	}
	if len(changed) > 0 {
		return errors.Join(changed...)
	}
	for _, f := range files {
		path := filepath.Join(c.Dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // G301: for Prometheus and Grafana to read
			return err
		}
		if err := atomicfile.Write(path, f.Data, 0o644); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(stdout, path); err != nil {
			return err
		}
	}
	return nil
}
