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

// SharesState is shares, of the tokens by their place in State.Listed.
type SharesState struct {
	Total  int64
	Rest   VectorsState // one
	Tokens VectorsState // none before the first reading
}

// PartRecord is an unsettled part.
type PartRecord struct {
	Slot      int // its place in State.Slots
	Pieces    []PieceRecord
	Counted   SharesState
	Left      []SharesState // of pieces that were cut
	RestEver  bool
	WithoutIP bool
}

// PieceRecord is a window that a part is read in.
type PieceRecord struct {
	From, To, Read          time.Time
	Failed, Whole, Baseline bool
	Timeouts                int
	Bytes                   int64
	Joined                  []bool       // by place in State.Listed; none before the first reading
	Told                    *SharesState // nil: nothing
	Left                    int          // its place in PartRecord.Left, and 1; 0: nothing
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
		s.Parts = append(s.Parts, p.record(index[p.slot], places))
	}
	return s
}

func (p *part) record(slot int, places []int) PartRecord {
	v := PartRecord{Slot: slot, RestEver: p.restEver, WithoutIP: p.withoutIP, Counted: p.counted.state(places)}
	var left []*shares
	for i := range p.pieces {
		w := &p.pieces[i]
		rec := PieceRecord{
			From: w.From, To: w.To, Read: w.read, Failed: w.failed, Whole: w.whole, Baseline: w.baseline, Timeouts: w.timeouts, Bytes: w.bytes,
		}
		if len(w.joined) > 0 {
			rec.Joined = make([]bool, 0, len(places))
			for _, place := range places {
				rec.Joined = append(rec.Joined, w.joined[place])
			}
		}
		if w.told != nil {
			told := w.told.state(places)
			rec.Told = &told
		}
		if w.left != nil {
			at := slices.Index(left, w.left)
			if at < 0 {
				at = len(left)
				left = append(left, w.left)
				v.Left = append(v.Left, w.left.state(places))
			}
			rec.Left = at + 1
		}
		v.Pieces = append(v.Pieces, rec)
	}
	return v
}

func (s *shares) state(places []int) SharesState {
	v := SharesState{Total: s.total}
	v.Rest.add(&s.rest)
	if len(s.tokens) == 0 {
		return v
	}
	cells := 0
	for _, place := range places {
		cells += len(s.tokens[place].cells)
	}
	v.Tokens.Packed = make([]byte, 0, 4*len(places)+3*cells) // as long as it becomes, or nearly
	for _, place := range places {
		v.Tokens.add(&s.tokens[place])
	}
	return v
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
		for i, w := range p.pieces {
			p.pieces[i] = piece{Span: w.Span, baseline: true}
		}
		*p = part{slot: p.slot, pieces: p.pieces, withoutIP: p.withoutIP}
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
	if v.Slot < 0 || v.Slot >= len(l.slots) || len(v.Pieces) == 0 {
		return errState
	}
	p := &part{slot: l.slots[v.Slot], restEver: v.RestEver, withoutIP: v.WithoutIP}
	if err := l.restoreShares(&p.counted, &v.Counted, p, places); err != nil {
		return err
	}
	left := make([]*shares, len(v.Left))
	for i := range v.Left {
		left[i] = &shares{}
		if err := l.restoreShares(left[i], &v.Left[i], p, places); err != nil {
			return err
		}
	}
	for _, rec := range v.Pieces {
		w := piece{
			Span: Span{rec.From, rec.To}, read: rec.Read, failed: rec.Failed, whole: rec.Whole, baseline: rec.Baseline, timeouts: rec.Timeouts, bytes: rec.Bytes,
		}
		if n := len(rec.Joined); n > 0 {
			if n != len(places) {
				return errState
			}
			w.joined = make([]bool, l.c.MaxTokens)
			for i, place := range places {
				if place >= 0 {
					w.joined[place] = rec.Joined[i]
				}
			}
		}
		if rec.Told != nil {
			w.told = &shares{}
			if err := l.restoreShares(w.told, rec.Told, p, places); err != nil {
				return err
			}
		}
		if rec.Left < 0 || rec.Left > len(left) {
			return errState
		}
		if rec.Left > 0 {
			w.left = left[rec.Left-1]
		}
		p.pieces = append(p.pieces, w)
	}
	p.slot.parts++
	l.parts = append(l.parts, p)
	return nil
}

// restoreShares takes shares of a part back. What tokens had that have no place any more
// goes to the rest.
func (l *Ledger) restoreShares(s *shares, v *SharesState, p *part, places []int) error {
	rest, err := v.Rest.vectors(l)
	if err != nil || len(rest) != 1 {
		return errState
	}
	tokens, err := v.Tokens.vectors(l)
	if err != nil || len(tokens) > 0 && len(tokens) != len(places) {
		return errState
	}
	s.total, s.rest = v.Total, rest[0]
	if len(tokens) == 0 {
		return nil
	}
	s.room(l.c.MaxTokens)
	for i, place := range places {
		switch {
		case place >= 0:
			s.tokens[place] = tokens[i]
		case !tokens[i].isZero():
			s.rest.move(&tokens[i], 1)
			p.restEver = true
		}
	}
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
