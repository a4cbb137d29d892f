package ledger

import (
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Config is what a ledger goes by. Zero values are not defaults.
type Config struct {
	Target      string
	Zone        Zone
	Slot        time.Duration
	Reread      time.Duration // how often an ended slot is read again
	Settle      time.Duration // how long after its end
	MaxBackfill time.Duration // past this a slot that is not settled is missed
	Lookback    time.Duration // a ledger without state counts from this long ago

	MaxTokens     int
	MaxValues     int
	Dimensions    []Dimension   // that get series a token
	DisplaceAfter time.Duration // a listed token without gains for this long gives way to a busier one
	Expire        time.Duration // and after this leaves

	Keep time.Duration // settled slots are kept for the audit for this long

	ResponseCap int64         // bytes
	Hold        time.Duration // how long a new series is served as 0
}

// Ledger counts the requests of one target. It is not safe for concurrent use; one
// reading is under way at a time.
type Ledger struct {
	// Rezoned tells that the state was counted in another zone or with another window end,
	// so that what is in the open slots had to be taken as read.
	Rezoned bool

	c      Config
	tables [dimensions]*table
	keepIP bool

	whole    account   // the target's totals
	other    account   // token="_other"
	accounts []account // by place; a free place has no entry in places
	places   map[tokenid.ID]int
	free     []int // places
	attacked map[tokenid.ID]struct{}

	parts []*part       // unsettled, oldest first
	slots []*slot       // oldest first: unsettled ones and a tail of done ones
	next  time.Time     // where the next slot begins; zero before the first Advance
	piece time.Duration // new slots are cut into pieces of at most this
	// newest is where the newest slot begins that was ever told to hold data.
	newest time.Time

	timedOut    bool // a piece was marked for cutting in this cycle for its time-out
	missed      int64
	regressions int64

	// busy is a clock that stands still while no new requests arrive at all, so that
	// an ABS that is down makes nobody idle.
	busy     time.Duration
	lastGain time.Time

	zero     metrics.ZeroInit
	withheld bool                // what was staged last is not served
	spare    []*Reading          // whose buffers are used again
	gains    [dimensions][]int64 // of the reading that is being counted, not yet in the totals
	staged   []metrics.Block     // as long as they are what Stage would give
	stagedAs time.Time           // of staged
	order    []int               // listed places in the order of their ids; nil when stale

	unchanged bool // the last Stage gave what the one before it gave
}

// New is a ledger without state. It counts nothing before the first Advance.
func New(c Config) *Ledger {
	l := &Ledger{
		c:        c,
		places:   make(map[tokenid.ID]int, c.MaxTokens),
		attacked: map[tokenid.ID]struct{}{},
		piece:    c.Slot,
		zero:     metrics.ZeroInit{Hold: c.Hold},
	}
	for d := range l.tables {
		l.tables[d] = newTable(c.MaxValues, nil)
	}
	for _, d := range c.Dimensions {
		l.keepIP = l.keepIP || d == IP
	}
	l.accounts = make([]account, c.MaxTokens)
	for p := range l.accounts {
		l.free = append(l.free, c.MaxTokens-1-p)
	}
	return l
}

// Requests is how many were counted since the counters began.
func (l *Ledger) Requests() int64 { return l.whole.total.Value }

// Listed is how many tokens have series of their own.
func (l *Ledger) Tracked() int { return len(l.places) }

// IsTracked tells whether a token has series of its own.
func (l *Ledger) IsTracked(id tokenid.ID) bool {
	_, ok := l.places[id]
	return ok
}

// Missed is how many slots could not be read in time.
func (l *Ledger) Missed() int64 { return l.missed }

// LastGain is when the last report was asked for that told of more requests; zero if none has.
func (l *Ledger) LastGain() time.Time { return l.lastGain }

// Regressions is in how many readings a slot or a joined token fell.
func (l *Ledger) Regressions() int64 { return l.regressions }

// Overflow is how many requests were counted under Other for want of series: of a
// dimension, or of tokens.
func (l *Ledger) Overflow(d Dimension) int64 {
	for i := range l.whole.cells {
		if l.whole.cells[i].k == keyOf(d, 0) {
			return l.whole.cells[i].Value
		}
	}
	return 0
}

// Values are the names that a dimension has had, without Other, first come first.
func (l *Ledger) Values(d Dimension) []string { return l.tables[d].names[1:] }

// OtherRequests is how many requests were counted under token="_other".
func (l *Ledger) OtherRequests() int64 { return l.other.total.Value }

// SetFlagged tells which tokens come first when places are given.
func (l *Ledger) SetFlagged(ids map[tokenid.ID]struct{}) { l.attacked = ids }

// twoBatches is two of ABS's batches of ten minutes.
const twoBatches = 20 * time.Minute

// tick moves the busy clock at a gain. A longer pause than ABS's batches make counts
// as one in which nothing arrived.
func (l *Ledger) tick(now time.Time) {
	if !l.lastGain.IsZero() && now.After(l.lastGain) {
		l.busy += min(now.Sub(l.lastGain), max(2*l.c.Reread, twoBatches))
	}
	if now.After(l.lastGain) {
		l.lastGain = now
	}
}
