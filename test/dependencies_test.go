package test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// docs/dependencies.md has a row with a reason and a licence for each direct dependency, and no
// other.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	root := tools.Root(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .+ \\| (?:MIT|BSD|Apache 2\\.0)(?:, Apache 2\\.0)? \\| .{10,} \\|$").FindAllStringSubmatch(string(text), -1) {
		explained = append(explained, m[1])
	}
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, m := range mod.Require {
		if !m.Indirect {
			direct[m.Path] = true
		}
	}
	if want := slices.Sorted(maps.Keys(direct)); len(want) < 10 || !slices.Equal(explained, want) {
		t.Errorf("docs/dependencies.md explains\n%q, go.mod requires\n%q", explained, want)
	}
}

// Every module that the binary is linked from, direct or not and on each system that is released,
// is under one of the licences that docs/dependencies.md names: by the text that it comes with.
func TestLicences(t *testing.T) {
	t.Parallel()
	modules := map[string]string{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", "./cmd/abs-exporter")
		cmd.Dir, cmd.Env = tools.Root(t), append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			if path, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				modules[path] = dir
			}
		}
	}
	if len(modules) < 40 {
		t.Errorf("there are only the modules %q", modules)
	}
	permitted := regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy` + // MIT
		`|Redistribution and use in source and binary forms, with or without modification, are permitted` + // BSD
		`|Apache License Version 2\.0|http://www\.apache\.org/licenses/LICENSE-2\.0`)
	copyleft := regexp.MustCompile(`GNU (AFFERO |LESSER )?GENERAL PUBLIC LICENSE|Mozilla Public License`)
	for path, dir := range modules {
		text := licenceText(t, dir)
		if !permitted.MatchString(text) {
			t.Errorf("%s has none of the licences: see %s", path, dir)
		}
		if found := copyleft.FindString(text); found != "" {
			t.Errorf("%s has the %s: see %s", path, found, dir)
		}
	}
	t.Logf("%d modules", len(modules))
}

// licenceText returns the words of the licences of a module, with single blanks in between.
func licenceText(t *testing.T, dir string) string {
	t.Helper()
	var words []string
	for _, pattern := range []string{"LICEN[CS]E*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			words = append(words, strings.Fields(string(text))...)
		}
	}
	return strings.Join(words, " ")
}

// The same commit gives the same bytes, wherever it is built: two builds as a release makes them,
// from two directories.
func TestBuildIsReproducible(t *testing.T) {
	t.Parallel()
	root := tools.Root(t)
	list := exec.Command("git", "ls-files", "-z", "--", "*.go", "go.mod", "go.sum", "alerts", "dashboards", "docs", "cmd", "collector", "mixin")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Skipf("this is no checkout of git: %v", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "another", "directory")
	for name := range strings.SplitSeq(strings.TrimRight(string(files), "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and not committed yet
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(elsewhere, name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(elsewhere, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var sums []string
	for _, dir := range []string{root, elsewhere} {
		binary := filepath.Join(t.TempDir(), "abs-exporter")
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=test", "-o", binary, "./cmd/abs-exporter")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(binary)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(dir)) {
			t.Errorf("the binary has %s in it", dir)
		}
		sums = append(sums, fmt.Sprintf("%x", sha256.Sum256(text)))
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds have the checksums %q", sums)
	}
}
