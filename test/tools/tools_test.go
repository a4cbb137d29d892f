package tools

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "// the top\nmodule "+rootModule+"\n\ngo 1.26\n")
	write(t, filepath.Join(root, "test", "go.mod"), "module "+rootModule+"/test\n")
	write(t, filepath.Join(root, ".tools", "bin", "promtool"), "binary")
	write(t, filepath.Join(root, "own", "promtool"), "binary")
	deep := filepath.Join(root, "test", "promtest")
	outside := t.TempDir()

	for _, tc := range []struct {
		name, tool, override, wd string
		want, wantErr            string
	}{
		{name: "at the top", tool: "promtool", wd: root, want: filepath.Join(root, ".tools", "bin", "promtool")},
		{name: "past the go.mod of a module on the way", tool: "promtool", wd: deep, want: filepath.Join(root, ".tools", "bin", "promtool")},
		{name: "another folder", tool: "promtool", override: filepath.Join(root, "own"), wd: deep, want: filepath.Join(root, "own", "promtool")},
		{name: "not built", tool: "prometheus", wd: deep, wantErr: "prometheus is not built: run `make tools`"},
		{name: "not in the other folder", tool: "prometheus", override: filepath.Join(root, "own"), wd: deep, wantErr: "the folder that " + DirVariable + " names"},
		{name: "a folder", tool: "bin", override: filepath.Join(root, ".tools"), wd: deep, wantErr: "is a folder"},
		{name: "outside", tool: "promtool", wd: outside, wantErr: "is not inside a checkout of " + rootModule},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := find(tc.tool, tc.override, tc.wd)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Fatalf("find = %q, %v; want an error with %q", got, err, tc.wantErr)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Fatalf("find = %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestPathFindsTheToolsOfThisRepository(t *testing.T) {
	for _, name := range []string{"promtool", "prometheus"} {
		if got := Path(t, name); filepath.Base(got) != name || !strings.HasPrefix(got, Root(t)) && os.Getenv(DirVariable) == "" {
			t.Errorf("Path(%q) = %q", name, got)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
