package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files are those of the repository. Files that somebody changed are left alone.
func TestAssets(t *testing.T) {
	cleanEnv(t)
	dir := filepath.Join(t.TempDir(), "new", "folder")
	assets := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		status := run(t.Context(), append([]string{"assets", "--dir=" + dir}, args...), &out, &errs)
		return status, out.String(), errs.String()
	}
	status, out, errs := assets()
	if status != exitOK || errs != "" {
		t.Fatalf("status %d: %s", status, errs)
	}
	names := strings.Fields(strings.ReplaceAll(out, dir+string(filepath.Separator), ""))
	for _, want := range []string{
		"dashboards/abs-exporter-overview.json", "dashboards/abs-exporter-token.json", "dashboards/abs-exporter-health.json", "alerts/alertmanager.yml",
		"runbooks/README.md", "runbooks/ABSAttackCritical.md",
	} {
		if !strings.Contains(out, filepath.FromSlash(want)) {
			t.Errorf("%s is not written, but %q", want, names)
		}
	}
	for _, name := range names {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		source := filepath.Join("..", "..", name)
		if strings.HasSuffix(name, ".md") {
			source = filepath.Join("..", "..", "docs", name)
		}
		want, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not the repository's", name)
		}
	}
	if status, _, errs = assets(); status != exitOK {
		t.Errorf("the same again: status %d: %s", status, errs)
	}

	mine := filepath.Join(dir, "alerts", "alertmanager.yml")
	write(t, mine, "mine\n")
	if status, out, errs = assets(); status != exitError || out != "" || !strings.Contains(errs, mine+" differs") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	if got, err := os.ReadFile(mine); err != nil || string(got) != "mine\n" {
		t.Errorf("it is overwritten: %q, %v", got, err)
	}
	if status, _, errs = assets("--force"); status != exitOK {
		t.Errorf("status %d: %s", status, errs)
	}
	if got, err := os.ReadFile(mine); err != nil || string(got) == "mine\n" {
		t.Errorf("it is not overwritten: %q, %v", got, err)
	}
}
