package logging

import (
	"bytes"
	"io"
	"sync"
	"time"
)

const (
	// maxQueued is how much of the log waits for a slow reader, in bytes: some 5,000 lines.
	maxQueued = 1 << 20
	// flushTime is how long the end of the process waits until all lines are written. The writer may
	// not have been scheduled yet on a busy machine, and the last line says why the process ends.
	flushTime = 3 * time.Second
	// stuckTime is how long it waits for a reader who takes no line.
	stuckTime = time.Second
)

// Writer writes lines without ever letting the program wait. While nobody reads them, lines
// queue up; those that find the queue full, and those that cannot be written at all, are dropped
// and counted.
type Writer struct {
	out   io.Writer
	ended chan struct{} // everything was written, after Close

	mu       sync.Mutex
	changed  *sync.Cond
	queue    [][]byte
	queued   int // bytes
	closing  bool
	writing  bool  // a line is being written
	written  int64 // lines before it
	dropped  int64
	reported int64             // of dropped, to resumed
	resumed  func(lines int64) // lines were dropped, and now one was written
}

// NewWriter returns what writes to out. Close ends it.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{out: out, ended: make(chan struct{}), resumed: func(int64) {}}
	w.changed = sync.NewCond(&w.mu)
	go w.run()
	return w
}

// Write queues a line. It never fails.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued+len(line) > maxQueued {
		w.dropped++
		return len(line), nil
	}
	w.queue = append(w.queue, bytes.Clone(line))
	w.queued += len(line)
	w.changed.Signal()
	return len(line), nil
}

// run writes the lines, one after the other.
func (w *Writer) run() {
	defer close(w.ended)
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.queue) == 0 && !w.closing {
			w.changed.Wait()
		}
		if len(w.queue) == 0 {
			return
		}
		line := w.queue[0]
		w.queue = w.queue[1:]
		w.writing = true
		w.mu.Unlock()
		_, err := w.out.Write(line)
		w.mu.Lock()
		w.writing = false
		w.written++
		w.queued -= len(line)
		if err != nil {
			w.dropped++
		} else if lost := w.dropped - w.reported; lost > 0 {
			w.reported = w.dropped
			resumed := w.resumed
			w.mu.Unlock()
			resumed(lost)
			w.mu.Lock()
		}
	}
}

// OnResume sets what is called when lines can be written again after some were dropped.
func (w *Writer) OnResume(resumed func(lines int64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resumed = resumed
}

// DroppedLines returns how many lines were dropped so far.
func (w *Writer) DroppedLines() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return float64(w.dropped)
}

// Close writes what is queued, as far as somebody reads it: it waits for flushTime at most, and for
// stuckTime where no line is read. Lines that are written later are lost.
func (w *Writer) Close() {
	w.mu.Lock()
	w.closing = true
	before := w.written
	w.changed.Signal()
	w.mu.Unlock()
	for waited := time.Duration(0); waited < flushTime; waited += stuckTime {
		select {
		case <-w.ended:
			return
		case <-time.After(stuckTime):
		}
		writing, lines := w.progress()
		if writing && lines == before {
			return
		}
		before = lines
	}
}

// progress returns whether a line is being written, and how many were before.
func (w *Writer) progress() (writing bool, lines int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writing, w.written
}
