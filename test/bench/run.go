package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// process is a program under way.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func start(ctx context.Context, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, self, args...)} // #nosec G204 -- this very binary
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(out)
	return p, p.cmd.Start()
}

// receive reads the next line that the program prints.
func (p *process) receive(v any) error {
	if !p.lines.Scan() {
		return fmt.Errorf("%s printed no more: %w", p.cmd.Args[1], errors.Join(p.lines.Err(), io.ErrUnexpectedEOF))
	}
	return json.Unmarshal(p.lines.Bytes(), v)
}

// end ends the program; its last line is read into v, unless nil.
func (p *process) end(v any) (cpu time.Duration, err error) {
	_ = p.stdin.Close() // it may have ended by itself
	var received error
	if v != nil {
		received = p.receive(v)
	}
	for p.lines.Scan() { // to the end, or Wait would cut it off
		continue
	}
	err = errors.Join(received, p.cmd.Wait())
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), err
}

// patience is how long one run of one program may last.
const patience = 10 * time.Minute

// figures are the measurements of one run of one program.
type figures struct {
	wall, cpu time.Duration
	peak      int64
	bytes     int64 // of /metrics as sent
}

// program is one of those that are compared.
type program struct {
	name  string
	args  []string
	state bool          // with a fresh state directory
	after time.Duration // how long it runs on after the scrape
	gzip  bool          // how it is scraped
}

// run is one run of a program against an ABS: from its first GET to the last byte of /metrics.
// check, unless nil, reads what was scraped.
func (p *program) run(ctx context.Context, abs *hello, check func(io.Reader) (int64, error)) (f figures, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	args := append(slices.Clone(p.args), "-url", abs.Addr)
	switch {
	case abs.CAFile == "":
	case p.args[0] == "exporter":
		args = append(args, "-fingerprint", abs.Fingerprint)
	default:
		args = append(args, "-ca", abs.CAFile)
	}
	if p.state {
		dir, err := os.MkdirTemp("", "bench-state-")
		if err != nil {
			return f, err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up what is left
		args = append(args, "-state", dir)
	}
	child, err := start(ctx, args...)
	if err != nil {
		return f, err
	}
	var last bye
	var end int64
	if p.args[0] != "copy" {
		var first hello
		if err = child.receive(&first); err == nil {
			if check == nil {
				check = copying
			}
			f.bytes, err = scrape(ctx, first.Addr, p.gzip, check)
		}
		end = time.Now().UnixNano()
		if err == nil && p.after > 0 {
			time.Sleep(p.after) // paced work, such as forensics, which no signal ends
		}
	}
	cpu, failed := child.end(&last)
	if err = errors.Join(err, failed); err != nil {
		return f, fmt.Errorf("%s: %w", p.name, err)
	}
	if end == 0 {
		end = last.End
	}
	f.wall, f.cpu, f.peak = time.Duration(end-last.Start), cpu, last.Peak
	return f, nil
}

// scrape reads /metrics once, over a connection of its own.
func scrape(ctx context.Context, addr string, gzip bool, read func(io.Reader) (int64, error)) (int64, error) {
	client, done := scraper()
	defer done()
	return scrapeBy(ctx, client, addr, gzip, read)
}

func scrapeBy(ctx context.Context, c *http.Client, addr string, gzip bool, read func(io.Reader) (int64, error)) (n int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	encoding := "identity"
	if gzip {
		encoding = "gzip"
	}
	req.Header.Set("Accept-Encoding", encoding)
	resp, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500)) //nolint:forbidigo // limited; only for the message
		return 0, fmt.Errorf("/metrics answered %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	return read(resp.Body)
}

// interleave runs the programs in rounds, so that changes of the machine's speed affect all alike,
// and returns the runs of each.
func interleave(ctx context.Context, runs int, abs *hello, programs []program) ([][]figures, error) {
	all := make([][]figures, len(programs))
	for i := range runs {
		for j := range programs {
			f, err := programs[j].run(ctx, abs, nil)
			if err != nil {
				return nil, err
			}
			all[j] = append(all[j], f)
			fmt.Fprintf(os.Stderr, "run %d of %d, %s: wall %v, CPU %v, peak %d MiB\n",
				i+1, runs, programs[j].name, f.wall.Round(time.Millisecond), f.cpu.Round(time.Millisecond), f.peak>>20)
		}
	}
	return all, nil
}

// medians returns the median of each figure on its own.
func medians(runs []figures) figures {
	return figures{
		wall:  median(runs, func(f figures) time.Duration { return f.wall }),
		cpu:   median(runs, func(f figures) time.Duration { return f.cpu }),
		peak:  median(runs, func(f figures) int64 { return f.peak }),
		bytes: median(runs, func(f figures) int64 { return f.bytes }),
	}
}

func medianOf[N cmp.Ordered](values []N) N { return median(values, func(v N) N { return v }) }

func median[T any, N cmp.Ordered](all []T, of func(T) N) N {
	values := make([]N, 0, len(all))
	for _, v := range all {
		values = append(values, of(v))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
