package ledger

import (
	"errors"
	"slices"
	"time"
)

// State is all that a ledger must know to go on after a restart, in a form that gob
// writes fast: columns instead of many small structs. It holds token ids, no tokens.
type State struct {
	Tables   [dimensions][]string
	Whole    AccountsState // one
	Other    AccountsState // one
	Listed   AccountsState
	Slots    []SlotRecord
	Parts    []PartRecord
	Next     time.Time
	Newest   time.Time
	Piece    time.Duration
	Missed   int64
	Busy     time.Duration
	LastGain time.Time
}

// AccountsState is accounts by columns; those of the cells run on from account to account.
type AccountsState struct {
	IDs    []uint64
	Totals []int64
	Born   []int64 // Unix nanoseconds; 0: not yet
	Gained []int64 // nanoseconds of the busy clock
	Cells  []int   // how many each account has
	Keys   []uint32
	Values []int64
	Borns  []int64
}

// VectorsState is vectors by columns.
type VectorsState struct {
	Totals []int64
	Cells  []int
	Keys   []uint32
	Values []int64
}

// SlotRecord is a slot.
type SlotRecord struct {
	From, To time.Time
	State    string
	Counted  VectorsState // one
	Read     time.Time
	Large    int64
	Bytes    int64
	Baseline bool
	Audited  bool
}

// PartRecord is an unsettled part.
type PartRecord struct {
	Slot     int // its place in State.Slots
	Pieces   []PieceRecord
	Baseline bool
	RestEver bool
	Total    int64
	Rest     VectorsState // one
	Joined   []bool       // by place in State.Listed, as are Counted
	Counted  VectorsState
}

// PieceRecord is a window that a part is read in.
type PieceRecord struct {
	From, To, Read time.Time
	Failed, Whole  bool
	Timeouts       int
	Bytes          int64
}

// State is the ledger's, as staged. A series that is still staged as 0 is born again.
func (l *Ledger) State() *State {
	s := &State{
		Next: l.next, Newest: l.newest, Piece: l.piece, Missed: l.missed, Busy: l.busy, LastGain: l.lastGain,
	}
	for d, t := range l.tables {
		s.Tables[d] = t.names[1:]
	}
	s.Whole.add(&l.whole, &l.births)
	s.Other.add(&l.other, &l.births)
	places := l.sorted()
	for _, p := range places {
		s.Listed.add(&l.accounts[p], &l.births)
	}
	index := map[*slot]int{}
	for i, o := range l.slots {
		index[o] = i
		v := SlotRecord{From: o.From, To: o.To, State: string(o.state), Read: o.read, Large: o.large, Bytes: o.bytes, Baseline: o.baseline, Audited: o.audited}
		v.Counted.add(&o.counted)
		s.Slots = append(s.Slots, v)
	}
	for _, p := range l.parts {
		v := PartRecord{Slot: index[p.slot], Baseline: p.baseline, RestEver: p.restEver, Total: p.total}
		v.Rest.add(&p.rest)
		for _, place := range places {
			v.Joined = append(v.Joined, p.joined[place])
			v.Counted.add(&p.counted[place])
		}
		for _, w := range p.pieces {
			v.Pieces = append(v.Pieces, PieceRecord{
				From: w.From, To: w.To, Read: w.read, Failed: w.failed, Whole: w.whole, Timeouts: w.timeouts, Bytes: w.bytes,
			})
		}
		s.Parts = append(s.Parts, v)
	}
	return s
}

func (s *AccountsState) add(a *account, b *Births) {
	s.IDs = append(s.IDs, uint64(a.id))
	s.Totals = append(s.Totals, a.total.Value)
	s.Born = append(s.Born, nanoseconds(b.Birth(&a.total)))
	s.Gained = append(s.Gained, int64(a.gained))
	s.Cells = append(s.Cells, len(a.cells))
	for i := range a.cells {
		c := &a.cells[i]
		s.Keys = append(s.Keys, uint32(c.k))
		s.Values = append(s.Values, c.Value)
		s.Borns = append(s.Borns, nanoseconds(b.Birth(&c.Counter)))
	}
}

func (s *VectorsState) add(v *vector) {
	s.Totals = append(s.Totals, v.total)
	s.Cells = append(s.Cells, len(v.cells))
	for _, c := range v.cells {
		s.Keys = append(s.Keys, uint32(c.k))
		s.Values = append(s.Values, c.n)
	}
}

func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

var errState = errors.New("the state contradicts itself")

// Restore is New, going on from a state. Tokens that the state lists past
// Config.MaxTokens give up their series, those without new requests for longest first.
func Restore(c Config, s *State) (*Ledger, error) {
	l := New(c)
	for d := range l.tables {
		l.tables[d] = newTable(c.MaxValues, s.Tables[d])
	}
	whole, err := s.Whole.accounts(l)
	if err != nil || len(whole) != 1 {
		return nil, errState
	}
	other, err := s.Other.accounts(l)
	if err != nil || len(other) != 1 {
		return nil, errState
	}
	listed, err := s.Listed.accounts(l)
	if err != nil {
		return nil, err
	}
	whole[0].labels, other[0].labels = l.whole.labels, l.other.labels
	l.whole, l.other = whole[0], other[0]
	places := l.place(listed)
	for _, v := range s.Slots {
		counted, err := v.Counted.vectors(l)
		if err != nil || len(counted) != 1 {
			return nil, errState
		}
		l.slots = append(l.slots, &slot{
			Span: Span{v.From, v.To}, state: SlotState(v.State), counted: counted[0], read: v.Read, large: v.Large, bytes: v.Bytes, baseline: v.Baseline, audited: v.Audited,
		})
	}
	for i := range s.Parts {
		if err := l.restorePart(&s.Parts[i], places); err != nil {
			return nil, err
		}
	}
	l.next, l.newest, l.missed, l.busy, l.lastGain = s.Next, s.Newest, s.Missed, s.Busy, s.LastGain
	l.piece = max(time.Minute, min(s.Piece, c.Slot))
	return l, nil
}

// place gives the listed accounts their places: -1 for those without one any more.
func (l *Ledger) place(listed []account) []int {
	keep := make([]int, len(listed))
	for i := range keep {
		keep[i] = i
	}
	slices.SortStableFunc(keep, func(a, b int) int { return int(listed[b].gained - listed[a].gained) })
	places := make([]int, len(listed))
	for n, i := range keep {
		places[i] = -1
		if n < l.c.MaxTokens {
			places[i] = l.list(listed[i].id)
			labels := l.accounts[places[i]].labels
			l.accounts[places[i]] = listed[i]
			l.accounts[places[i]].labels = labels
		}
	}
	return places
}

func (l *Ledger) restorePart(v *PartRecord, places []int) error {
	rest, err := v.Rest.vectors(l)
	if err != nil || len(rest) != 1 {
		return errState
	}
	counted, err := v.Counted.vectors(l)
	if err != nil || len(counted) != len(places) || len(v.Joined) != len(places) ||
		v.Slot < 0 || v.Slot >= len(l.slots) || len(v.Pieces) == 0 {
		return errState
	}
	p := &part{
		slot: l.slots[v.Slot], baseline: v.Baseline, restEver: v.RestEver, total: v.Total, rest: rest[0],
		joined: make([]bool, l.c.MaxTokens), counted: make([]vector, l.c.MaxTokens),
	}
	for i, place := range places {
		switch {
		case place >= 0:
			p.joined[place], p.counted[place] = v.Joined[i], counted[i]
		case v.Joined[i] && !counted[i].isZero():
			p.rest.move(&counted[i], 1)
			p.restEver = true
		}
	}
	for _, w := range v.Pieces {
		p.pieces = append(p.pieces, piece{
			Span: Span{w.From, w.To}, read: w.Read, failed: w.Failed, whole: w.Whole, timeouts: w.Timeouts, bytes: w.Bytes,
		})
	}
	p.slot.parts++
	l.parts = append(l.parts, p)
	return nil
}

func (s *AccountsState) accounts(l *Ledger) ([]account, error) {
	n := len(s.IDs)
	if len(s.Totals) != n || len(s.Born) != n || len(s.Gained) != n || len(s.Cells) != n ||
		len(s.Values) != len(s.Keys) || len(s.Borns) != len(s.Keys) {
		return nil, errState
	}
	all := make([]account, n)
	next := 0
	for i := range all {
		a := &all[i]
		a.id = TokenID(s.IDs[i])
		a.total = Counter{Value: s.Totals[i], Born: instant(s.Born[i])}
		a.gained = time.Duration(s.Gained[i])
		if s.Cells[i] < 0 || next+s.Cells[i] > len(s.Keys) {
			return nil, errState
		}
		a.cells = make([]accountCell, s.Cells[i])
		for j := range a.cells {
			k, err := l.known(s.Keys[next])
			if err != nil {
				return nil, err
			}
			a.cells[j] = accountCell{k, Counter{Value: s.Values[next], Born: instant(s.Borns[next])}}
			next++
		}
	}
	return all, nil
}

func (s *VectorsState) vectors(l *Ledger) ([]vector, error) {
	n := len(s.Totals)
	if len(s.Cells) != n || len(s.Values) != len(s.Keys) {
		return nil, errState
	}
	all := make([]vector, n)
	next := 0
	for i := range all {
		v := &all[i]
		v.total = s.Totals[i]
		if s.Cells[i] < 0 || next+s.Cells[i] > len(s.Keys) {
			return nil, errState
		}
		for range s.Cells[i] {
			k, err := l.known(s.Keys[next])
			if err != nil {
				return nil, err
			}
			v.cells = append(v.cells, cell{k, s.Values[next]})
			next++
		}
	}
	return all, nil
}

// known is a key of the state, if its table has the value.
func (l *Ledger) known(k uint32) (key, error) {
	d := key(k).dimension()
	if d >= dimensions || int(key(k).value()) >= len(l.tables[d].names) {
		return 0, errState
	}
	return key(k), nil
}
