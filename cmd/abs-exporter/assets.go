package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/dashboards"
)

// visitAssets visits all files that the binary carries, each with its path below dir.
func visitAssets(dir string, visit func(path string, data []byte) error) error {
	for _, carried := range []struct {
		folder string
		files  fs.FS
	}{
		{"dashboards", dashboards.FS},
		{"alerts", alerts.FS},
	} {
		err := fs.WalkDir(carried.files, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(carried.files, path)
			if err != nil {
				return err
			}
			return visit(filepath.Join(dir, carried.folder, filepath.FromSlash(path)), data)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// writeAssets writes all of them, or none if one would overwrite a file that somebody changed.
func writeAssets(c *config.Assets, stdout io.Writer) error {
	var changed []error
	err := visitAssets(c.Dir, func(path string, data []byte) error {
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && !bytes.Equal(old, data) && !c.Force:
			changed = append(changed, fmt.Errorf("%s differs from what this version carries, so nothing was written; --force overwrites it", path))
		}
		return err
	})
	if err != nil || len(changed) > 0 {
		return errors.Join(append(changed, err)...)
	}
	return visitAssets(c.Dir, func(path string, data []byte) error {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // G301: for Prometheus and Grafana to read
			return err
		}
		if err := renameio.WriteFile(path, data, 0o644); err != nil {
			return err
		}
		_, err := fmt.Fprintln(stdout, path)
		return err
	})
}
