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

// asset is a file of the binary, and where it belongs below --dir.
type asset struct {
	path string
	data []byte
}

// assets are all files that the binary carries.
func assets() ([]asset, error) {
	var all []asset
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
			all = append(all, asset{filepath.Join(carried.folder, filepath.FromSlash(path)), data})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// writeAssets writes them all, or none if one would overwrite a file that somebody changed.
func writeAssets(c *config.Assets, stdout io.Writer) error {
	all, err := assets()
	if err != nil {
		return err
	}
	var changed []error
	for _, a := range all {
		path := filepath.Join(c.Dir, a.path)
		data, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !bytes.Equal(data, a.data) && !c.Force:
			changed = append(changed, fmt.Errorf("%s differs from what this version carries, so nothing was written; --force overwrites it", path))
		}
	}
	if len(changed) > 0 {
		return errors.Join(changed...)
	}
	for _, a := range all {
		path := filepath.Join(c.Dir, a.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // G301: for Prometheus and Grafana to read
			return err
		}
		if err := renameio.WriteFile(path, a.data, 0o644); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(stdout, path); err != nil {
			return err
		}
	}
	return nil
}
