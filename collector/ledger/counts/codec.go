package counts

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

// State is counts, likewise.
type State struct {
	N     int
	Bytes []byte
}

// ErrState is returned for a state that no ledger can have written.
var ErrState = errors.New("the state contradicts itself")

// Add appends counters.
func (s *CountersState) Add(c *Counters) {
	s.N++
	b := binary.LittleEndian.AppendUint64(s.Bytes, uint64(c.ID))
	first := c.Total.FirstExposed()
	b = appendCount(b, &c.Total, 0)
	b = binary.AppendVarint(b, int64(c.Gained))
	b = binary.AppendUvarint(b, c.TrackedSince)
	b = binary.AppendUvarint(b, uint64(len(c.Values)))
	for i := range c.Values {
		v := &c.Values[i]
		b = appendID(b, v.ID)
		b = appendCount(b, &v.Count, first)
	}
	s.Bytes = b
}

// Add appends counts.
func (s *State) Add(c *Counts) {
	s.N++
	b := binary.AppendVarint(s.Bytes, c.Total)
	b = binary.AppendUvarint(b, uint64(len(c.Values)))
	for _, v := range c.Values {
		b = appendID(b, v.ID)
		b = binary.AppendVarint(b, v.N)
	}
	s.Bytes = b
}

// appendID appends an id so that the first values of each dimension take a byte.
func appendID(b []byte, id ValueID) []byte {
	return binary.AppendUvarint(b, uint64(id.Index())*NumDimensions+uint64(id.Dimension()))
}

// appendCount appends a count. Its first exposition is written as its distance from the one in
// first, which is 0 as a rule. A distance of 0 or more is written as 1 more, since 0 stands for a
// count that was never exposed.
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
	tables Tables
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

func (d *decoder) id() ValueID {
	code := d.unsigned()
	dimension, index := Dimension(code%NumDimensions), code/NumDimensions
	if values := d.tables[dimension].values; index >= uint64(len(values)) || !values[index].Taken {
		d.fail()
		return 0
	}
	return NewValueID(dimension, uint32(index)) //nolint:gosec // not past the table
}

func (d *decoder) count(first int64) metrics.Count {
	value, distance := d.signed(), d.signed()
	if value < 0 || value > 1<<53 {
		d.fail()
	}
	switch {
	case distance == 0:
		return metrics.RestoredCount(value, 0)
	case distance > 0:
		distance--
	}
	return metrics.RestoredCount(value, first+distance)
}

// decode reads n things of at least so many bytes each, which must be all that there is.
func decode[T any](tables Tables, n int, b []byte, size int, one func(d *decoder, to *T)) ([]T, error) {
	if n < 0 || n > len(b)/size {
		return nil, ErrState
	}
	d := decoder{tables: tables, b: b}
	all := make([]T, n)
	for i := range all {
		one(&d, &all[i])
	}
	if d.failed || len(d.b) > 0 {
		return nil, ErrState
	}
	return all, nil
}

// Decode returns the counters, with their ids as in tables, or ErrState.
func (s *CountersState) Decode(tables Tables) ([]Counters, error) {
	return decode(tables, s.N, s.Bytes, 13, func(d *decoder, c *Counters) {
		c.ID = d.tokenID()
		c.Total = d.count(0)
		c.Gained = time.Duration(d.signed())
		c.TrackedSince = d.unsigned()
		c.Values = make([]ValueCounter, d.length(3))
		first := c.Total.FirstExposed()
		for i := range c.Values {
			c.Values[i].ID = d.id()
			c.Values[i].Count = d.count(first)
		}
	})
}

// Decode returns the counts, with their ids as in tables, or ErrState.
func (s *State) Decode(tables Tables) ([]Counts, error) {
	return decode(tables, s.N, s.Bytes, 2, func(d *decoder, c *Counts) {
		c.Total = d.signed()
		c.Values = make([]ValueCount, d.length(2))
		for i := range c.Values {
			c.Values[i] = ValueCount{d.id(), d.signed()}
		}
	})
}
