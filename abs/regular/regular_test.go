package regular

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.WriteFile(path("file"), []byte("text"), 0o600))
	check(os.WriteFile(path("empty"), nil, 0o600))
	check(os.WriteFile(path("long"), nil, 0o600))
	check(os.Truncate(path("long"), MaxSize+1))
	check(os.Symlink("file", path("link")))
	check(syscall.Mkfifo(path("fifo"), 0o600))
	check(os.Symlink("fifo", path("link to a fifo")))
	for _, tt := range []struct {
		name, text string
		err        error // nil with text "": any that names the file
	}{
		{"file", "text", nil},
		{"link", "text", nil}, // as Kubernetes mounts secrets
		{"long", "", nil},
		{"missing", "", fs.ErrNotExist},
		{"", "", ErrNotRegular}, // the directory
		{"fifo", "", ErrNotRegular},
		{"link to a fifo", "", ErrNotRegular},
	} {
		text, err := ReadFile(path(tt.name))
		switch {
		case tt.text != "" && (err != nil || string(text) != tt.text):
			t.Errorf("%q: %q, %v", tt.name, text, err)
		case tt.text == "" && (err == nil || !strings.Contains(err.Error(), path(tt.name))):
			t.Errorf("%q: %v, want an error with the name", tt.name, err)
		case tt.err != nil && !errors.Is(err, tt.err):
			t.Errorf("%q: %v, want %v", tt.name, err, tt.err)
		}
	}
	if text, err := ReadFile(path("empty")); err != nil || len(text) > 0 {
		t.Errorf("an empty file: %q, %v", text, err)
	}
	if _, err := ReadFile("/dev/zero"); !errors.Is(err, ErrNotRegular) {
		t.Errorf("/dev/zero: %v", err)
	}
}
