package test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/test/tools"
)

// startActivated starts serve as systemd starts a service by its sockets: they are the descriptors
// from 3 on, and LISTEN_PID is the process that they are for. The shell becomes that process.
func startActivated(t *testing.T, sockets []*os.File, pid string, args ...string) *process {
	t.Helper()
	become := "LISTEN_PID=" + pid + ` exec "$@"`
	env := []string{"LISTEN_FDS=" + strconv.Itoa(len(sockets))}
	return startWith(t, sockets, env, "/bin/sh", append([]string{"-c", become, "sh", tools.Binary(t), "serve", "--web.systemd-socket"}, args...)...)
}

// socket returns a listening socket, as systemd opens it before the exporter runs.
func socket(t *testing.T, network, address string) (_ *os.File, at string) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // the file is another descriptor of the same socket
	if unix, ok := l.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	file, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // the process has its own
	return file, l.Addr().String()
}

// With --web.systemd-socket the exporter serves on the sockets that it is passed, of TCP and Unix.
// A scrape that comes before it has started waits, and is answered. A second exporter goes on with
// the same sockets.
func TestSystemdSocket(t *testing.T) {
	t.Parallel()
	tcp, address := socket(t, "tcp", "127.0.0.1:0")
	unix, path := socket(t, "unix", filepath.Join(t.TempDir(), "web.sock"))
	overUnix := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	scrape := func(client *http.Client, url string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, _, err := answer(client, req)
		if err != nil {
			t.Errorf("%s: %v", url, err)
		}
		return text
	}
	args := append(keyFiles(t, "abs_ak", "abs_sk"), "--abs.url=http://"+tools.FreeAddress(t))
	for range 2 {
		early := make(chan string, 1)
		go func() { early <- scrape(http.DefaultClient, "http://"+address+"/metrics") }()
		p := startActivated(t, []*os.File{tcp, unix}, "$$", args...)
		for _, text := range []string{<-early, scrape(overUnix, "http://unix/metrics")} {
			if !strings.Contains(text, "\nabs_exporter_build_info{") {
				t.Errorf("no metrics:\n%s", text)
			}
		}
		if status, _ := p.terminate(t); status != 0 {
			t.Errorf("it ended with status %d", status)
		}
		http.DefaultClient.CloseIdleConnections()
		overUnix.CloseIdleConnections()
	}
}

// Sockets that are for another process, or none at all, end the start with what to do.
func TestNoSystemdSocket(t *testing.T) {
	t.Parallel()
	tcp, _ := socket(t, "tcp", "127.0.0.1:0")
	args := append(keyFiles(t, "abs_ak", "abs_sk"), "--abs.url=https://127.0.0.1:1")
	const want = "abs-exporter: error: --web.systemd-socket: systemd passed no listening socket: start abs-exporter by its .socket unit\n"
	for name, p := range map[string]*process{
		"none":                startActivated(t, nil, "$$", args...),
		"for another process": startActivated(t, []*os.File{tcp}, "1", args...),
		"not systemd at all":  start(t, nil, append([]string{"serve", "--web.systemd-socket"}, args...)...),
		"none, with a file":   startWith(t, []*os.File{tcp}, nil, tools.Binary(t), append([]string{"serve", "--web.systemd-socket"}, args...)...),
	} {
		if status := p.status(t); status != 1 || !strings.HasSuffix(p.stderr.String(), want) {
			t.Errorf("%s: status %d: %s", name, status, p.stderr)
		}
	}
}
