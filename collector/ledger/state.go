package ledger

import (
	"errors"
	"slices"
	"time"
)

// State is all that a ledger must know to go on after a restart, in a form that gob
// writes fast: columns instead of many small structs. It holds token ids, no tokens.
type State struct {
	// What the counts stand on. Where the configuration is another by now, Restore takes
	// care that no series tells of what was counted when it was not there.
	Dimensions []Dimension
	Tokens     bool   // there were series of tokens
	Zone       string // of ABS's wall clock
	Inclusive  bool

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

// AccountsState is accounts, one after the other: see packed.
type AccountsState struct {
	Accounts int
	Packed   []byte
}

// VectorsState is vectors, likewise.
type VectorsState struct {
	Vectors int
	Packed  []byte
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
	Slot      int // its place in State.Slots
	Pieces    []PieceRecord
	Baseline  bool
	RestEver  bool
	WithoutIP bool
	Total     int64
	Rest      VectorsState // one
	Joined    []bool       // by place in State.Listed, as are Counted
	Counted   VectorsState
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
		Dimensions: l.c.Dimensions, Tokens: l.c.MaxTokens > 0,
		Zone: l.c.Zone.Location.String(), Inclusive: l.c.Zone.Inclusive,
		Next: l.next, Newest: l.newest, Piece: l.piece, Missed: l.missed, Busy: l.busy, LastGain: l.lastGain,
	}
	for d, t := range l.tables {
		s.Tables[d] = t.names[1:]
	}
	s.Whole.add(&l.whole)
	s.Other.add(&l.other)
	places := l.sorted()
	cells := 0
	for _, p := range places {
		cells += len(l.accounts[p].cells)
	}
	s.Listed.Packed = make([]byte, 0, 32*len(places)+4*cells) // as long as it becomes, or nearly
	for _, p := range places {
		s.Listed.add(&l.accounts[p])
	}
	index := map[*slot]int{}
	for i, o := range l.slots {
		index[o] = i
		v := SlotRecord{From: o.From, To: o.To, State: string(o.state), Read: o.read, Large: o.large, Bytes: o.bytes, Baseline: o.baseline, Audited: o.audited}
		v.Counted.add(&o.counted)
		s.Slots = append(s.Slots, v)
	}
	for _, p := range l.parts {
		v := PartRecord{Slot: index[p.slot], Baseline: p.baseline, RestEver: p.restEver, WithoutIP: p.withoutIP, Total: p.total}
		v.Rest.add(&p.rest)
		if p.joined != nil { // else nothing was counted yet
			v.addCounted(p, places)
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

func (v *PartRecord) addCounted(p *part, places []int) {
	cells := 0
	for _, place := range places {
		cells += len(p.counted[place].cells)
	}
	v.Joined = make([]bool, 0, len(places))
	v.Counted.Packed = make([]byte, 0, 4*len(places)+3*cells) // likewise
	for _, place := range places {
		v.Joined = append(v.Joined, p.joined[place])
		v.Counted.add(&p.counted[place])
	}
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
	l.adapt(s)
	return l, nil
}

// adapt takes care of settings that are others than those of the state.
func (l *Ledger) adapt(s *State) {
	if !s.Tokens {
		l.other = account{} // it was not served, and is born now
	}
	for _, d := range l.c.Dimensions {
		if slices.Contains(s.Dimensions, d) {
			continue
		}
		l.other.drop(d)
		for p := range l.accounts {
			l.accounts[p].drop(d)
		}
		if d == IP {
			for _, p := range l.parts {
				p.withoutIP = true
			}
		}
	}
	if s.Zone == l.c.Zone.Location.String() && s.Inclusive == l.c.Zone.Inclusive {
		return
	}
	// The same windows are other requests now: what ABS tells of the open ones is taken as
	// read, and those that have settled are not audited.
	l.Rezoned = true
	for _, o := range l.slots {
		o.audited, o.baseline = true, true
	}
	for _, p := range l.parts {
		*p = part{slot: p.slot, pieces: p.pieces, baseline: true, withoutIP: p.withoutIP}
		for i := range p.pieces {
			p.pieces[i].read = time.Time{}
		}
	}
}

// drop forgets the counters of a dimension that had no series, so that what it counted
// meanwhile is in none.
func (a *account) drop(d Dimension) {
	a.cells = slices.DeleteFunc(a.cells, func(c accountCell) bool { return c.k.dimension() == d })
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
			l.accounts[places[i]] = listed[i]
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
	counts := len(v.Joined) > 0
	if err != nil || counts && len(v.Joined) != len(places) || len(counted) != len(v.Joined) ||
		v.Slot < 0 || v.Slot >= len(l.slots) || len(v.Pieces) == 0 {
		return errState
	}
	p := &part{
		slot: l.slots[v.Slot], baseline: v.Baseline, restEver: v.RestEver, withoutIP: v.WithoutIP, total: v.Total, rest: rest[0],
	}
	if counts {
		p.room(l.c.MaxTokens)
	}
	for i, place := range places[:len(v.Joined)] {
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

// known is the key of a code, if its table has the value.
func (l *Ledger) known(code uint32) (key, error) {
	d, v := Dimension(code%dimensions), code/dimensions
	if int(v) >= len(l.tables[d].names) {
		return 0, errState
	}
	return keyOf(d, v), nil
}

// code is a key as the state has it: gob writes small numbers in a byte.
func (k key) code() uint32 { return k.value()*dimensions + uint32(k.dimension()) }

// restored is a birth from the state, which has only those whose value was served.
func restored(ns int64) birth {
	if ns == 0 {
		return 0
	}
	return birth(ns | 1)
}
