package backfill

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Samples arrive by time and are written by series, and neither all samples nor all series that
// ever were fit into memory. So they are sorted as databases do it: parts that fit into memory are
// sorted and written one by one, and merged at the end.
//
// A part is records in the order of their series: the length of the series, the series, the length
// of its samples, its samples. Each sample is two varints, the differences of its time in
// milliseconds and of its value to the sample before it in the record.

// yieldRecord receives a record. The points are good until it returns.
type yieldRecord func(series string, points []byte) error

// buffer holds the samples of the next part.
type buffer struct {
	labels *metrics.OwnLabels // of the target
	series map[*metrics.Series]*points
	bytes  int // approximately
}

// points are samples of a series.
type points struct {
	ms, value int64 // of the last one
	encoded   []byte
}

// seriesBytes is about what a series needs in memory beside its samples.
const seriesBytes = 200

func (b *buffer) add(s *metrics.Series, ms, value int64) {
	p := b.series[s]
	if p == nil {
		if b.series == nil {
			b.series = map[*metrics.Series]*points{}
		}
		p = &points{}
		b.series[s] = p
		b.bytes += seriesBytes
	}
	before := len(p.encoded)
	p.encoded = binary.AppendVarint(p.encoded, ms-p.ms)
	p.encoded = binary.AppendVarint(p.encoded, value-p.value)
	p.ms, p.value = ms, value
	b.bytes += len(p.encoded) - before
}

// records calls yield with the records of a part in their order. A series that ended and returned
// has two, the older one first.
func (b *buffer) records(yield yieldRecord) error {
	type record struct {
		series string
		*points
	}
	all := make([]record, 0, len(b.series))
	for s, p := range b.series {
		all = append(all, record{s.With(b.labels), p})
	}
	slices.SortFunc(all, func(x, y record) int { return cmp.Or(cmp.Compare(x.series, y.series), cmp.Compare(x.ms, y.ms)) })
	for _, r := range all {
		if err := yield(r.series, r.encoded); err != nil {
			return err
		}
	}
	return nil
}

// writePart writes records into a new file. Once it returns, they are on the disk.
func writePart(path string, records func(yieldRecord) error) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<16)
	var head []byte
	err = records(func(series string, points []byte) error {
		head = binary.AppendUvarint(head[:0], uint64(len(series)))
		head = append(head, series...)
		head = binary.AppendUvarint(head, uint64(len(points)))
		_, _ = w.Write(head) // Flush returns the error
		_, err := w.Write(points)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// part is a part that is read.
type part struct {
	file   *os.File
	r      *bufio.Reader
	series string
	points []byte
}

// next reads a record. It returns io.EOF after the last one.
func (p *part) next() error {
	n, err := binary.ReadUvarint(p.r)
	if err != nil {
		return err // io.EOF, where it belongs
	}
	series, err := p.bytes(nil, n)
	if err != nil {
		return err
	}
	p.series = string(series)
	if n, err = binary.ReadUvarint(p.r); err == nil {
		p.points, err = p.bytes(p.points, n)
	}
	return damagedPart(err)
}

// bytes reads n bytes, into b if they fit.
func (p *part) bytes(b []byte, n uint64) ([]byte, error) {
	const most = 1 << 30 // a part is shorter
	if n > most {
		return nil, errPart
	}
	b = slices.Grow(b[:0], int(n))[:n]
	_, err := io.ReadFull(p.r, b)
	return b, damagedPart(err)
}

var errPart = errors.New("a file of the work directory is damaged: remove the directory to begin anew")

func damagedPart(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errPart
	}
	return err
}

// mergeParts calls yield with the records of all parts in the order of their series and, for one
// series, of the parts.
func mergeParts(paths []string, yield yieldRecord) error {
	var open []*part
	defer func() {
		for _, p := range open {
			_ = p.file.Close() // only read from
		}
	}()
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("the work directory: %w", err)
		}
		p := &part{file: f, r: bufio.NewReaderSize(f, 1<<16)}
		open = append(open, p)
	}
	left := slices.Clone(open)
	advance := func(i int) error {
		err := left[i].next()
		if errors.Is(err, io.EOF) {
			left = slices.Delete(left, i, i+1)
			return nil
		}
		return err
	}
	for i := len(left) - 1; i >= 0; i-- {
		if err := advance(i); err != nil {
			return err
		}
	}
	for len(left) > 0 {
		first := 0
		for i := range left[1:] {
			if left[1+i].series < left[first].series {
				first = 1 + i
			}
		}
		if err := yield(left[first].series, left[first].points); err != nil {
			return err
		}
		if err := advance(first); err != nil {
			return err
		}
	}
	return nil
}
