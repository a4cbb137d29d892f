package tools

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// DirVariable is the environment variable with a directory of binaries to use instead of
// .tools/bin, for packagers who have their own.
const DirVariable = "ABS_EXPORTER_TEST_TOOLS"

// rootModule is the module whose go.mod marks the top of the repository.
const rootModule = "github.com/abs-exporter/abs-exporter"

// Path returns the absolute path of a pinned program. It ends the test where the program has not
// been built: a test that skips itself for want of a tool is a test that nobody runs.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	wd, err := os.Getwd()
	if err != nil {
		tb.Fatalf("looking for %s: %v", name, err)
	}
	path, err := find(name, os.Getenv(DirVariable), wd)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Root returns the absolute path of the top of the repository.
func Root(tb testing.TB) string {
	tb.Helper()
	wd, err := os.Getwd()
	if err != nil {
		tb.Fatalf("looking for the repository's top: %v", err)
	}
	root, err := findRoot(wd)
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

func find(name, override, wd string) (string, error) {
	dir := override
	if dir == "" {
		root, err := findRoot(wd)
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, ".tools", "bin")
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("looking for %s: %w", name, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && override != "":
		return "", fmt.Errorf("%s is not there: put it into the folder that %s names, or unset it and run `make tools`", path, DirVariable)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s is not built: run `make tools` at the top of the repository first", name)
	case err != nil:
		return "", fmt.Errorf("looking for %s: %w", name, err)
	case info.IsDir():
		return "", fmt.Errorf("looking for %s: %s is a folder", name, path)
	}
	return path, nil
}

// findRoot returns the directory of the main module, which is above dir and above the go.mod of
// this module.
func findRoot(dir string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		module, err := moduleOf(filepath.Join(at, "go.mod"))
		switch {
		case err == nil && module == rootModule:
			return at, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("looking for the repository's top: %w", err)
		case filepath.Dir(at) == at:
			return "", fmt.Errorf("%s is not inside a checkout of %s", dir, rootModule)
		}
	}
}

// moduleOf returns the module path that a go.mod declares.
func moduleOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // only read from
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if module, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(module), nil
		}
	}
	return "", lines.Err()
}
