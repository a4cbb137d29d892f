package ledger

import (
	"encoding/binary"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// What a state holds of accounts and vectors is numbers, millions of them, most of them
// small: they stand one after the other as varints. Columns of numbers are three times as
// long in gob, and take as much memory again while it writes them.

func (s *AccountsState) add(a *account) {
	s.Accounts++
	b := binary.LittleEndian.AppendUint64(s.Packed, uint64(a.id))
	b = binary.AppendVarint(b, a.total.Value)
	born := a.total.FirstExposed()
	b = binary.AppendVarint(b, born)
	b = binary.AppendVarint(b, int64(a.gained))
	b = binary.AppendUvarint(b, uint64(len(a.cells)))
	for i := range a.cells {
		c := &a.cells[i]
		b = binary.AppendUvarint(b, uint64(c.k.code()))
		b = binary.AppendVarint(b, c.Value)
		b = binary.AppendVarint(b, bornCode(c.FirstExposed(), born))
	}
	s.Packed = b
}

func (s *VectorsState) add(v *vector) {
	s.Vectors++
	b := binary.AppendVarint(s.Packed, v.total)
	b = binary.AppendUvarint(b, uint64(len(v.cells)))
	for _, c := range v.cells {
		b = binary.AppendUvarint(b, uint64(c.k.code()))
		b = binary.AppendVarint(b, c.n)
	}
	s.Packed = b
}

// packed reads numbers back. Once it has failed it gives zeros.
type packed struct {
	b      []byte
	failed bool
}

func (p *packed) took(n int) bool {
	if n <= 0 || n > len(p.b) {
		p.b, p.failed = nil, true
		return false
	}
	p.b = p.b[n:]
	return true
}

func (p *packed) signed() int64 {
	v, n := binary.Varint(p.b)
	if !p.took(n) {
		return 0
	}
	return v
}

func (p *packed) unsigned() uint64 {
	v, n := binary.Uvarint(p.b)
	if !p.took(n) {
		return 0
	}
	return v
}

func (p *packed) fixed() (v uint64) {
	if len(p.b) >= 8 {
		v = binary.LittleEndian.Uint64(p.b)
	}
	p.took(8)
	return v
}

// length is a number of things that take so many bytes each, at least: a state that
// contradicts itself must not make room for more than it holds.
func (p *packed) length(size int) int {
	n := p.unsigned()
	if n > uint64(len(p.b)/size) {
		p.b, p.failed = nil, true
		return 0
	}
	return int(n) //nolint:gosec // not past the length of a slice
}

func (p *packed) key(l *Ledger) key {
	code := p.unsigned()
	if code > 1<<32-1 {
		p.b, p.failed = nil, true
		return 0
	}
	k, err := l.known(uint32(code))
	if err != nil {
		p.b, p.failed = nil, true
	}
	return k
}

func (s *AccountsState) accounts(l *Ledger) ([]account, error) {
	const least = 12 // bytes of an account
	if s.Accounts < 0 || s.Accounts > len(s.Packed)/least {
		return nil, errState
	}
	p := packed{b: s.Packed}
	all := make([]account, s.Accounts)
	for i := range all {
		a := &all[i]
		a.id = tokenid.ID(p.fixed())
		total, born := p.signed(), p.signed()
		a.total = metrics.RestoredCount(total, born)
		a.gained = time.Duration(p.signed())
		a.cells = make([]accountCell, p.length(3))
		for j := range a.cells {
			c := &a.cells[j]
			c.k = p.key(l)
			value, code := p.signed(), p.signed()
			c.Count = metrics.RestoredCount(value, bornOf(code, born))
		}
	}
	if p.failed || len(p.b) > 0 {
		return nil, errState
	}
	return all, nil
}

func (s *VectorsState) vectors(l *Ledger) ([]vector, error) {
	const least = 2 // bytes of a vector
	if s.Vectors < 0 || s.Vectors > len(s.Packed)/least {
		return nil, errState
	}
	p := packed{b: s.Packed}
	all := make([]vector, s.Vectors)
	for i := range all {
		v := &all[i]
		v.total = p.signed()
		v.cells = make([]cell, p.length(2))
		for j := range v.cells {
			v.cells[j] = cell{p.key(l), p.signed()}
		}
	}
	if p.failed || len(p.b) > 0 {
		return nil, errState
	}
	return all, nil
}

// bornCode is the birth of a cell as the state has it: as the time since the birth of the
// account's total, which is 0 as a rule, and 1 more where it was not before that, as 0 is
// no birth.
func bornCode(born, total int64) int64 {
	switch d := born - total; {
	case born == 0:
		return 0
	case d < 0:
		return d
	default:
		return d + 1
	}
}

func bornOf(code, total int64) int64 {
	switch {
	case code == 0:
		return 0
	case code < 0:
		return total + code
	default:
		return total + code - 1
	}
}
