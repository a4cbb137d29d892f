package crash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// exporter is the program under test: one process after another, on one state directory.
type exporter struct {
	path string
	args []string
	env  []string
	log  io.Writer // receives what all of them log

	mu      sync.Mutex
	address string // where the one that runs serves; empty: nowhere yet
	tail    []string
}

// tailLines is how much of the log is kept for the report of a failure.
const tailLines = 60

// process is one run of the exporter's program.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has ended
	up    chan struct{} // closed once it serves
	err   error         // of Wait; read after ended
}

// start starts a process. The one before must have ended.
func (e *exporter) start(ctx context.Context) (*process, error) {
	cmd := exec.CommandContext(ctx, e.path, e.args...)
	cmd.Env = e.env
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan struct{}), up: make(chan struct{})}
	go func() {
		defer close(p.ended)
		e.follow(stderr, p)
		p.err = cmd.Wait()
		e.serving("")
	}()
	return p, nil
}

// follow reads the log to its end, and finds in it where the exporter listens.
func (e *exporter) follow(r io.Reader, p *process) {
	const listening, address = `msg="Listening on"`, " address="
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if _, at, ok := strings.Cut(line, address); ok && strings.Contains(line, listening) {
			e.serving(at)
			close(p.up)
		}
		e.mu.Lock()
		if e.tail = append(e.tail, line); len(e.tail) > tailLines {
			e.tail = e.tail[1:]
		}
		e.mu.Unlock()
		_, _ = fmt.Fprintln(e.log, line) // for people only
	}
}

func (e *exporter) serving(address string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.address = address
}

// at returns where the exporter serves; empty: nowhere.
func (e *exporter) at() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.address
}

// lastLines returns the end of the log.
func (e *exporter) lastLines() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.tail, "\n")
}

// kill sends SIGKILL and waits for the end.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		<-p.ended
		return fmt.Errorf("the exporter had ended before it was killed: %w", errors.Join(err, p.err))
	}
	<-p.ended
	if state := p.cmd.ProcessState; state.Exited() {
		return fmt.Errorf("the exporter ended by itself: %s", state)
	}
	return nil
}

// ServeHTTP forwards requests to the process that runs, so that a scraper finds all of them at one
// address; while there is none, it answers as a proxy does.
func (e *exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	address := e.at()
	if address == "" {
		http.Error(w, "the exporter is down", http.StatusBadGateway)
		return
	}
	proxy := httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", address
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	proxy.ServeHTTP(w, r)
}

// watch reads the state directory until found returns true, or limit has passed. It does not pause,
// as a save may be shorter than any pause.
func watch(ctx context.Context, dir string, limit time.Duration, found func([]os.DirEntry) bool) error {
	for begin := time.Now(); time.Since(begin) < limit; {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		if found(entries) {
			return nil
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// temporary returns whether a state file is being written.
func temporary(entries []os.DirEntry) bool {
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			return true
		}
	}
	return false
}

// saved returns a function that returns whether a state file was replaced since its last call.
func saved() func([]os.DirEntry) bool {
	var before os.FileInfo
	return func(entries []os.DirEntry) bool {
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".state") {
				continue
			}
			now, err := e.Info()
			if err != nil {
				return false // replaced between the two reads: the next call sees it
			}
			replaced := before != nil && (!os.SameFile(before, now) || !before.ModTime().Equal(now.ModTime()))
			before = now
			return replaced
		}
		return false
	}
}
