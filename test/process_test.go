package test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// patience is how long a test waits for what should happen at once. Only a test that fails uses it
// up.
const patience = 120 * time.Second

// process is the built abs-exporter, started as a user starts it.
type process struct {
	cmd    *exec.Cmd
	stdout *tools.Output
	stderr *tools.Output
	ended  chan struct{} // closed once it has ended and all its output was read
}

// start runs abs-exporter until it ends, or the test does. env is added to an environment without
// any variable of abs-exporter.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startCommand(t, env, tools.Binary(t), args...)
}

// startCommand is start for a command that runs abs-exporter in the end.
func startCommand(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	return startWith(t, nil, env, name, args...)
}

// startWith is startCommand for a command that gets open files, as descriptors from 3 on.
func startWith(t *testing.T, files []*os.File, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{
		cmd:    exec.Command(name, args...),
		stdout: tools.NewOutput(), stderr: tools.NewOutput(), ended: make(chan struct{}),
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ABS_EXPORTER_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.ExtraFiles = files
	p.cmd.Dir = t.TempDir() // serve keeps its state in ./data by default
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // its status is in ProcessState
		p.stdout.End()
		p.stderr.End()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended already, unless the test failed
		<-p.ended
		if t.Failed() {
			t.Logf("abs-exporter %s\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), tail(p.stdout.String()), tail(p.stderr.String()))
		}
	})
	return p
}

func tail(text string) string {
	const most = 4 << 10
	if len(text) <= most {
		return text
	}
	return "[…]" + text[len(text)-most:]
}

// status returns the exit status, once the process has ended by itself.
func (p *process) status(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("it still runs after %v", patience)
		return -1
	}
}

// hasEnded reports whether the process has ended by itself.
func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// terminate ends the process as an init system does.
func (p *process) terminate(t *testing.T) (status int, took time.Duration) {
	t.Helper()
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("the signal was not delivered: %v", err)
	}
	status = p.status(t)
	return status, time.Since(begun)
}

// exporter is a process that serves.
type exporter struct {
	*process
	url string // of the status page, with the slash
}

// startServe runs serve on a free port of loopback.
func startServe(t *testing.T, env []string, args ...string) *exporter {
	t.Helper()
	p := start(t, env, append([]string{"serve", "--web.listen-address=127.0.0.1:0"}, args...)...)
	return p.serving(t)
}

// serving waits until the process serves.
func (p *process) serving(t *testing.T) *exporter {
	t.Helper()
	return &exporter{p, "http://" + p.stderr.Find(t, patience, `Listening on.*?address\W+([0-9.]+:[0-9]+)`) + "/"}
}

// demo is the demo: the exporter, and the control paths of the simulated ABS.
type demo struct {
	exporter
	abs string
}

// startDemo runs the demo on a free port of loopback.
func startDemo(t *testing.T, args ...string) *demo {
	t.Helper()
	p := start(t, nil, append([]string{"demo", "--web.listen-address=127.0.0.1:0"}, args...)...)
	return &demo{
		exporter{p, p.stdout.Find(t, patience, `status page +(http://\S+)`)},
		p.stdout.Find(t, patience, `simulated ABS +(https://\S+)`),
	}
}

// simulator requests what only the demo's simulated ABS has, such as /simulator/truth.
func (d *demo) simulator(t *testing.T, path string, into any) {
	t.Helper()
	body := d.call(t, http.MethodGet, path, "")
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// setFaults lets the demo's ABS fail, in the way that the demo suggests to users.
func (d *demo) setFaults(t *testing.T, faults string) {
	t.Helper()
	d.call(t, http.MethodPut, "/simulator/faults", faults)
}

func (d *demo) call(t *testing.T, method, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.abs+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := answer(sideDoor, req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return text
}

// sideDoor trusts the certificate that the demo has just made.
var sideDoor = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// get returns a page of the exporter.
func (e *exporter) get(t *testing.T, path string) string {
	t.Helper()
	text, _ := e.scrape(t, path, "")
	return text
}

// scrape returns a page of the exporter in a format, and its content type.
func (e *exporter) scrape(t *testing.T, path, accept string) (body, contentType string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	body, contentType, err = answer(http.DefaultClient, req)
	if err != nil {
		t.Fatalf("/%s: %v", path, err)
	}
	return body, contentType
}

func answer(client *http.Client, req *http.Request) (body, contentType string, err error) {
	resp, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", err
	}
	if resp.StatusCode/100 != 2 {
		return "", "", errors.New(resp.Status)
	}
	return string(text), resp.Header.Get("Content-Type"), nil
}

// value returns the value of a series of /metrics, written as there, and whether it is there.
func (e *exporter) value(t *testing.T, series string) (float64, bool) {
	t.Helper()
	for line := range strings.Lines(e.get(t, "metrics")) {
		if text, ok := strings.CutPrefix(line, series+" "); ok {
			var v float64
			if _, err := fmt.Sscan(text, &v); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return v, true
		}
	}
	return 0, false
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tools.Until(t, patience, what, done)
}
