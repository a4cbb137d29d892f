package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

const (
	maxLines  = 2800 // of a package
	maxFields = 15   // of a struct of the collector
)

// One person reads the program in a day: no package is longer than a morning, and no struct of the
// collector has more fields than one remembers. What is not the program may be longer: tests,
// tools, the simulated ABS and what makes the dashboards.
func TestNothingGrowsTooLarge(t *testing.T) {
	t.Parallel()
	root := os.DirFS(tools.Root(t))
	others := []string{"abs/simulator", "dashboards/build", "test", "tools"}
	lines, structs := map[string]int{}, 0
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains(others, name) || name != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		lines[path.Dir(name)] += files.File(file.FileStart).LineCount()
		if !strings.HasPrefix(name, "collector/") {
			return nil
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.StructType); ok {
				structs++
				if fields := s.Fields.NumFields(); fields > maxFields {
					t.Errorf("%s: the struct has %d fields, more than %d: part it by subject", files.Position(s.Pos()), fields, maxFields)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(lines) < 30 || structs < 100 {
		t.Fatalf("%d packages and %d structs were looked at: %v", len(lines), structs, err)
	}
	for dir, n := range lines {
		if n > maxLines {
			t.Errorf("the package %s has %d lines, more than %d: part it by subject", dir, n, maxLines)
		}
	}
}
