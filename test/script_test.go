package test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// TestScripts runs the command lines of testdata/script as a user would type them, and checks what
// is printed where, and the exit status. The scripts have abs-exporter on their PATH, and nothing
// of the machine's own configuration.
func TestScripts(t *testing.T) {
	dir := filepath.Dir(tools.Binary(t))
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			return nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}
