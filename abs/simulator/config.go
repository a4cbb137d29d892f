package simulator

import (
	"sync"
	"time"
)

// CapKind is what the simulated ABS does with an answer larger than its response_size.
// The vendor's pages don't say what a real one does, so there is one of each.
type CapKind int

// The kinds of answers past Config.ResponseCap.
const (
	CapCut    CapKind = iota // the body stops at the cap, the HTTP message ends as if all were well
	CapAbort                 // the body stops at the cap and the connection is torn
	CapStatus                // an error status (Config.CapStatus) instead of the body
	CapRows                  // rows that don't fit are left out without a word; the summary still tells all
	CapHang                  // no answer at all, until the client gives up
)

// Config is what is simulated. Its zero value is an ABS in UTC without any traffic of
// its own: only what Add brings in.
type Config struct {
	Seed uint64 // same seed, same traffic, same attacks, same faults

	// Traffic.
	Tokens      int           // alive at once
	TokenLife   time.Duration // how long a token lives before another takes its place; 0: for ever
	APIs        []string      // names of the APIs; default: eight
	Rate        float64       // requests per token and hour, on average over all tokens; some are 100 times as busy
	Begin, End  time.Time     // there is traffic in [Begin, End) only; zero: no bound
	MinTokenLen int           // length of tokens, in characters; default 36, 16 at least
	MaxTokenLen int           // default 880

	// Time.
	Location     *time.Location   // the zone of ABS's dates; default UTC
	WallClock    bool             // ABS stores wall-clock minutes: the two passes of a repeated hour fall together. Otherwise it stores instants, and reads an ambiguous bound as the first of the two
	InclusiveEnd bool             // the minute of later_date is in the window
	Now          func() time.Time // default time.Now

	// Lateness: requests are logged in batches aligned to the clock, spread over eight
	// lanes (ABS's and ASE's nodes). A lane's part of a batch is told once its delay has
	// passed since the batch's end: half of Delay to Delay as a rule, and one time in
	// twelve between Delay and DelayMax.
	Batch     time.Duration // default 10m; whole minutes
	Delay     time.Duration
	DelayMax  time.Duration // default Delay
	Immediate bool          // no lateness: a request is told as soon as it is made

	// Attacks: one begins every AttackEvery, on a token of any size, and lasts between
	// half of AttackLast and one and a half of it. One in four is an anomaly.
	AttackEvery time.Duration // 0: none but those of AddAttack
	AttackLast  time.Duration // default 3 times AttackEvery
	AttackDelay time.Duration // from an attack's begin until the forensics report tells it

	// Hints: the reports attacklist and attack.
	HintDelay  time.Duration // how much later than forensics the hints tell an attack
	HintShare  float64       // share of the attacks that the hints tell; default 1, negative: none
	StaleHints int           // entries of the attack list that are old and never expire

	// What the pages leave open.
	ResponseCap      int64 // ABS's response_size, in bytes of the body before compression; 0: none
	CapKind          CapKind
	CapStatus        int  // with CapStatus; default 413
	URLLimit         int  // longer request URIs get a 414; 0: no limit
	PlainDescription bool // no raw line break in the description (the published samples have one, so that is the default)
	SplitRows        int  // each n-th token with several IPs gets two rows in one report; 0: none
	NoGzip           bool // never compress, whatever the client accepts

	// Keys; default abs_ak, abs_sk, abs_ak_ru, abs_sk_ru as ABS ships.
	AccessKey, SecretKey                     string
	RestrictedAccessKey, RestrictedSecretKey string

	CallLog int // how many calls per report Stats keeps; default 4096
}

// Simulator is a simulated ABS. It is safe for use by several goroutines, and holds
// nothing but what Add, AddAttack and SetFaults brought in and what Stats tells.
type Simulator struct {
	cfg     Config
	traffic traffic

	mu      sync.Mutex
	events  []event
	sorted  bool
	attacks []Attack
	faults  []*faultState

	stats stats
}

// New makes a simulated ABS. Values that make no sense are replaced by the defaults.
func New(cfg Config) *Simulator {
	cfg = cfg.withDefaults()
	return &Simulator{
		cfg:     cfg,
		traffic: newTraffic(cfg),
		sorted:  true,
		stats:   newStats(cfg.CallLog),
	}
}

func (c Config) withDefaults() Config {
	c.Tokens = min(max(c.Tokens, 0), 1<<31)
	if c.TokenLife < 0 {
		c.TokenLife = 0
	}
	if c.TokenLife > 0 {
		c.TokenLife = max(c.TokenLife.Truncate(time.Second), time.Minute)
	}
	if len(c.APIs) == 0 {
		c.APIs = []string{
			"atm_app_oauth", "2_atm_app_oauth", "shop", "accounts",
			"payments", "transfers", "cards", "search",
		}
	}
	c.Rate = max(c.Rate, 0)
	if c.MinTokenLen <= 0 {
		c.MinTokenLen = 36
	}
	c.MinTokenLen = max(c.MinTokenLen, idLen+5)
	if c.MaxTokenLen <= 0 {
		c.MaxTokenLen = 880
	}
	c.MaxTokenLen = max(c.MaxTokenLen, c.MinTokenLen)
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Batch <= 0 {
		c.Batch = 10 * time.Minute
	}
	c.Batch = max(c.Batch.Truncate(time.Minute), time.Minute)
	c.Delay = max(c.Delay, 0)
	c.DelayMax = max(c.DelayMax, c.Delay)
	if c.AttackLast <= 0 {
		c.AttackLast = 3 * c.AttackEvery
	}
	if c.HintShare == 0 {
		c.HintShare = 1
	}
	if c.CapStatus == 0 {
		c.CapStatus = 413
	}
	for _, k := range []struct {
		key      *string
		standard string
	}{
		{&c.AccessKey, "abs_ak"},
		{&c.SecretKey, "abs_sk"},
		{&c.RestrictedAccessKey, "abs_ak_ru"},
		{&c.RestrictedSecretKey, "abs_sk_ru"},
	} {
		if *k.key == "" {
			*k.key = k.standard
		}
	}
	if c.CallLog <= 0 {
		c.CallLog = 4096
	}
	return c
}

// Lateness is how long after a generated request was made it is told at the latest.
func (s *Simulator) Lateness() time.Duration {
	if s.cfg.Immediate {
		return 0
	}
	return s.cfg.Batch + s.cfg.DelayMax
}
