package abs

import (
	"errors"
	"io"
	"time"
)

// A report is parsed in a goroutine of its own, some rows ahead of whoever counts them: parsing is half of a cycle's
// work, and machines have more than one core. Rows are handed over many at a time, as each time costs more than a row
// does; and before each read of the body, so that no row waits for what ABS has not sent.
const (
	aheadBatches = 3        // one being filled, one on the way, one being counted
	aheadRows    = 64       // in a batch
	aheadBytes   = 64 << 10 // of texts, after which a batch is handed over with fewer rows
	aheadKept    = 8 << 10  // of texts, that one row keeps allocated for the next in its place
)

// storedRow is a row with what its texts are stored in.
type storedRow struct {
	row   Row
	arena []byte
}

type batch struct {
	rows  [aheadRows]storedRow
	n     int
	bytes int
}

var errStopped = errors.New("whoever counts the rows has stopped")

// ahead takes rows from the reader, and is what it reads the body from.
type ahead struct {
	body       io.Reader
	r          *rowReader
	full, free chan *batch
	now        *batch
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	a.flush()
	return a.body.Read(p)
}

// put exchanges the reader's row for one that is free, so that nothing is copied.
func (a *ahead) put(*Row) error {
	if a.now == nil {
		b, ok := <-a.free
		if !ok {
			return errStopped
		}
		b.n, b.bytes = 0, 0
		a.now = b
	}
	b := a.now
	s := &b.rows[b.n]
	if cap(s.arena) > aheadKept {
		*s = storedRow{}
	}
	b.bytes += len(a.r.arena)
	b.n++
	s.row, a.r.rowOf = a.r.rowOf, s.row
	s.arena, a.r.arena = a.r.arena, s.arena
	if b.n == aheadRows || b.bytes > aheadBytes {
		a.flush()
	}
	return nil
}

func (a *ahead) flush() {
	if a.now != nil {
		a.full <- a.now // has room for all there are
		a.now = nil
	}
}

// readTokensAhead is readTokens with row called in this goroutine while the next rows are read in another, which has ended
// when it returns.
func (r *rowReader) readTokensAhead(body io.Reader, limit int64, loc *time.Location, row func(*Row) error) (Summary, error) {
	a := &ahead{body: body, r: r, full: make(chan *batch, aheadBatches), free: make(chan *batch, aheadBatches)}
	for range aheadBatches {
		a.free <- new(batch)
	}
	var sum Summary
	var err error
	go func() {
		defer close(a.full)
		sum, err = r.readTokens(a, limit, loc, a.put)
		a.flush()
	}()
	if counted := a.count(row); counted != nil {
		return Summary{Bytes: r.read()}, counted
	}
	return sum, err
}

// count calls row for each row. When it returns, or row panics, the reader has ended.
func (a *ahead) count(row func(*Row) error) error {
	defer func() {
		close(a.free)
		for range a.full { // until the reader sees that nobody counts
			continue
		}
	}()
	for b := range a.full {
		for i := range b.rows[:b.n] {
			if err := row(&b.rows[i].row); err != nil {
				return err
			}
		}
		a.free <- b
	}
	return nil
}
