package ledger

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Counters and counts are millions of numbers, most of them small: they stand one after the other
// as varints. As columns of numbers gob makes them three times as long, and takes as much memory
// again.

// CountersState is counters, one after the other.
type CountersState struct {
	N     int
	Bytes []byte
}

// CountsState is counts, likewise.
type CountsState struct {
	N     int
	Bytes []byte
}

var errState = errors.New("the state contradicts itself")

func (s *CountersState) add(c *counters) {
	s.N++
	b := binary.LittleEndian.AppendUint64(s.Bytes, uint64(c.id))
	first := c.total.FirstExposed()
	b = appendCount(b, &c.total, 0)
	b = binary.AppendVarint(b, int64(c.gained))
	b = binary.AppendUvarint(b, c.trackedSince)
	b = binary.AppendUvarint(b, uint64(len(c.values)))
	for i := range c.values {
		v := &c.values[i]
		b = appendID(b, v.id)
		b = appendCount(b, &v.Count, first)
	}
	s.Bytes = b
}

func (s *CountsState) add(c *counts) {
	s.N++
	b := binary.AppendVarint(s.Bytes, c.total)
	b = binary.AppendUvarint(b, uint64(len(c.values)))
	for _, v := range c.values {
		b = appendID(b, v.id)
		b = binary.AppendVarint(b, v.n)
	}
	s.Bytes = b
}

// appendID appends an id so that the first values of each dimension take a byte.
func appendID(b []byte, id valueID) []byte {
	return binary.AppendUvarint(b, uint64(id.index())*dimensions+uint64(id.dimension()))
}

// appendCount appends a count. Its first exposition is written as the distance from another one,
// which is 0 as a rule; 1 more where it is not before that one, as 0 stands for none.
func appendCount(b []byte, c *metrics.Count, first int64) []byte {
	b = binary.AppendVarint(b, c.Value)
	own := c.FirstExposed()
	distance := own - first
	switch {
	case own == 0:
		distance = 0
	case distance >= 0:
		distance++
	}
	return binary.AppendVarint(b, distance)
}

// decoder reads numbers back. Once it has failed it returns zeros.
type decoder struct {
	l      *Ledger
	b      []byte
	failed bool
}

func (d *decoder) fail() { d.b, d.failed = nil, true }

func (d *decoder) skip(n int) bool {
	if n <= 0 || n > len(d.b) {
		d.fail()
		return false
	}
	d.b = d.b[n:]
	return true
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.b)
	if !d.skip(n) {
		return 0
	}
	return v
}

func (d *decoder) unsigned() uint64 {
	v, n := binary.Uvarint(d.b)
	if !d.skip(n) {
		return 0
	}
	return v
}

func (d *decoder) tokenID() (id tokenid.ID) {
	if len(d.b) >= 8 {
		id = tokenid.ID(binary.LittleEndian.Uint64(d.b))
	}
	d.skip(8)
	return id
}

// length returns a number of things of at least so many bytes each: a state that contradicts itself
// must not allocate more than it is long.
func (d *decoder) length(size int) int {
	n := d.unsigned()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n) //nolint:gosec // not past the length of a slice
}

func (d *decoder) id() valueID {
	code := d.unsigned()
	dimension, index := Dimension(code%dimensions), code/dimensions
	if index >= uint64(len(d.l.labels[dimension].names)) {
		d.fail()
		return 0
	}
	return newValueID(dimension, uint32(index)) //nolint:gosec // not past the table
}

func (d *decoder) count(first int64) metrics.Count {
	value, distance := d.signed(), d.signed()
	switch {
	case distance == 0:
		return metrics.RestoredCount(value, 0)
	case distance > 0:
		distance--
	}
	return metrics.RestoredCount(value, first+distance)
}

// decode reads n things of at least so many bytes each, which must be all that there is.
func decode[T any](l *Ledger, n int, b []byte, size int, one func(d *decoder, to *T)) ([]T, error) {
	if n < 0 || n > len(b)/size {
		return nil, errState
	}
	d := decoder{l: l, b: b}
	all := make([]T, n)
	for i := range all {
		one(&d, &all[i])
	}
	if d.failed || len(d.b) > 0 {
		return nil, errState
	}
	return all, nil
}

func (s *CountersState) decode(l *Ledger) ([]counters, error) {
	return decode(l, s.N, s.Bytes, 13, func(d *decoder, c *counters) {
		c.id = d.tokenID()
		c.total = d.count(0)
		c.gained = time.Duration(d.signed())
		c.trackedSince = d.unsigned()
		c.values = make([]valueCounter, d.length(3))
		first := c.total.FirstExposed()
		for i := range c.values {
			c.values[i].id = d.id()
			c.values[i].Count = d.count(first)
		}
	})
}

func (s *CountsState) decode(l *Ledger) ([]counts, error) {
	return decode(l, s.N, s.Bytes, 2, func(d *decoder, c *counts) {
		c.total = d.signed()
		c.values = make([]valueCount, d.length(2))
		for i := range c.values {
			c.values[i] = valueCount{d.id(), d.signed()}
		}
	})
}
