package test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// startLogging runs serve with its log in a pipe, of which the test has the reader. Nothing of what
// the process writes is needed to find it.
func startLogging(t *testing.T, log *os.File, args ...string) *exporter {
	t.Helper()
	address := tools.FreeAddress(t)
	p := &process{
		cmd:    exec.Command(tools.Binary(t), append([]string{"serve", "--web.listen-address=" + address}, args...)...),
		stdout: tools.NewOutput(), stderr: tools.NewOutput(), ended: make(chan struct{}),
	}
	p.cmd.Dir = t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its status is in ProcessState
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended already, unless the test failed
		<-p.ended
	})
	until(t, "it listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return &exporter{p, "http://" + address + "/"}
}

// The reader of the log goes away, or stays and reads nothing or next to nothing, as a terminal
// over a slow line does: ABS is polled and the pages are served as before, the lines are counted,
// and SIGTERM ends the process in time.
func TestLogWithoutReader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		open    func() (r, w *os.File, err error)
		prepare func(t *testing.T, r, w *os.File)
		drops   bool // waits until a megabyte of lines is dropped
	}{
		{"gone", os.Pipe, func(t *testing.T, r, _ *os.File) {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"reads nothing", os.Pipe, func(t *testing.T, _, w *os.File) { fill(t, w) }, true},
		{"reads 100 bytes a second", os.Pipe, func(t *testing.T, r, w *os.File) { fill(t, w); go crawl(r) }, false},
		{"is a terminal that shows 100 bytes a second", openTerminal, func(_ *testing.T, r, _ *os.File) { go crawl(r) }, false},
		{"is a terminal that was stopped", openTerminal, func(*testing.T, *os.File, *os.File) {}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sim, flags := busyABS(t)
			r, w, err := tc.open()
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				t.Skip("no terminal can be had here: ", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.Close() })
			tc.prepare(t, r, w)
			// A minute a slot, each with a line: a megabyte of them waits for the reader.
			e := startLogging(t, w, append(flags, "--log.level=debug", "--collect.slot=1m", "--collect.settle=3h", "--collect.lookback=3h", "--abs.rate=10000")...)
			_ = w.Close() // the process has it
			until(t, "lines are dropped", func() bool {
				n, _ := e.value(t, "abs_exporter_log_lines_dropped_total")
				return n > 0 || !tc.drops
			})
			counted(t, e)
			before := sim.Stats().Calls["oauthtokens"]
			until(t, "ABS is asked on", func() bool { return sim.Stats().Calls["oauthtokens"] > before+5 })
			if status, took := e.terminate(t); status != 0 || took > soon {
				t.Errorf("it ended with status %d (%v) after %v", status, e.cmd.ProcessState, took)
			}
		})
	}
}

// What ends with an error ends, although nobody reads the error.
func TestErrorWithoutReader(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	fill(t, w)
	cmd := exec.Command(tools.Binary(t), "serve", "--abs.url=nonsense")
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("it ended with %v, want status 2", err)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Error("it does not end")
	}
}

// openTerminal returns both ends of a terminal: what shows, and what is written to.
func openTerminal() (r, w *os.File, err error) {
	r, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(r.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	w, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	return r, w, err
}

// crawl reads 100 bytes a second until the end.
func crawl(r *os.File) {
	for {
		if _, err := r.Read(make([]byte, 10)); err != nil {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// fill writes into a pipe until not a byte more fits.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd()) // which makes it block
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; {
		if _, err := syscall.Write(fd, make([]byte, size)); errors.Is(err, syscall.EAGAIN) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}
