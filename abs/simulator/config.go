package simulator

import (
	"cmp"
	"net/http"
	"sync"
	"time"
)

// CapKind is what the simulated ABS does with a response larger than its response_size. The
// vendor's pages don't say what a real one does, so there is one of each.
type CapKind int

// The kinds of responses past Config.ResponseCap.
const (
	CapCut    CapKind = iota // the body stops at the cap, the HTTP message ends as if all were well
	CapAbort                 // the body stops at the cap and the connection is torn
	CapStatus                // a 413 instead of the body
	CapRows                  // rows that don't fit are left out without a word; the summary counts them
	CapHang                  // no response at all, until the client gives up
	CapError                 // a 500 instead of the body
)

// Config is what is simulated. Its zero value is an ABS in UTC without any traffic of its own: it
// reports only what Add adds.
type Config struct {
	Seed uint64 // same seed, same traffic, same attacks, same faults

	// Traffic.
	Tokens      int           // alive at once
	TokenLife   time.Duration // how long a token lives before another replaces it; 0: for ever
	APIs        []string      // names of the APIs; default: eight
	Rate        float64       // requests per token and hour, averaged over all tokens; some are 100 times as busy
	Begin, End  time.Time     // there is traffic in [Begin, End) only; zero: no bound
	MaxTokenLen int           // tokens are 36 to this many characters long; default 880

	// Time.
	Location *time.Location // the zone of ABS's dates; default UTC
	// WallClock: ABS stores wall-clock minutes, so that both passes of a repeated hour coincide;
	// otherwise instants, and an ambiguous bound is the first of the two.
	WallClock    bool
	InclusiveEnd bool             // the minute of later_date is in the window
	Now          func() time.Time // default time.Now

	// Lateness: requests are logged in batches aligned to the clock, spread over eight lanes (ABS's
	// and ASE's nodes). A lane's share of a batch is reported once its delay has passed since the
	// batch's end: half of Delay to Delay as a rule, and one time in twelve between Delay and
	// DelayMax.
	Batch     time.Duration // default 10m; whole minutes
	Delay     time.Duration
	DelayMax  time.Duration // default Delay
	Immediate bool          // no lateness: a request is reported as soon as it is made

	// Attacks: one begins every AttackEvery, on a token of any size, and lasts between half of
	// AttackLast and one and a half of it. One in four is an anomaly.
	AttackEvery            time.Duration // 0: none but those of AddAttack
	AttackLast             time.Duration // default 3 times AttackEvery
	AttackDelay            time.Duration // from an attack's begin until ABS reports it
	StaleAttackListEntries int           // entries of the attack list that are old and never expire

	// ABS's own state: the admin report.
	Version44    bool                 // ABS 4.4 has it at /v4/abs/admin only, and without a time zone
	Training     map[string]time.Time // when the training of an API ends; zero: never. It has no attacks of the schedule before
	Transactions int64                // of the month; the licence allows 1,000,000,000

	// What the pages leave open.
	ResponseCap int64 // ABS's response_size, in bytes of the body before compression; 0: none
	CapKind     CapKind
	URLLimit    int // longer request URIs get a 414; 0: no limit
	SplitRows   int // each n-th token with several IPs gets two rows in one report; 0: none

	AccessKey, SecretKey                     string // of the admin; default abs_ak and abs_sk, as ABS ships
	RestrictedAccessKey, RestrictedSecretKey string // of the restricted user; default abs_ak_ru and abs_sk_ru

	CallLog int // how many calls per report Stats keeps; default 4096
}

// Simulator is a simulated ABS. It is safe for use by several goroutines, and stores nothing but
// what Add, AddAttack and SetFaults added and what Stats returns.
type Simulator struct {
	cfg     Config
	traffic traffic

	mu      sync.Mutex
	events  []event
	sorted  bool
	attacks []Attack
	faults  []*faultState

	stats       stats
	handler     http.Handler
	compressors sync.Pool // of *gzip.Writer
}

// New returns a simulated ABS. Values that make no sense are replaced by the defaults.
func New(cfg Config) *Simulator {
	cfg = cfg.withDefaults()
	s := &Simulator{cfg: cfg, traffic: newTraffic(cfg), sorted: true, stats: newStats(cfg.CallLog)}
	s.handler = s.routes()
	return s
}

// SetKeys replaces the keys of the admin, as a rotation at ABS does.
func (s *Simulator) SetKeys(access, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.AccessKey, s.cfg.SecretKey = access, secret
}

func (c Config) withDefaults() Config {
	c.Tokens = min(max(c.Tokens, 0), 1<<31)
	if c.TokenLife = max(c.TokenLife, 0); c.TokenLife > 0 {
		c.TokenLife = max(c.TokenLife.Truncate(time.Second), time.Minute)
	}
	if len(c.APIs) == 0 {
		c.APIs = []string{
			"atm_app_oauth", "2_atm_app_oauth", "shop", "accounts",
			"payments", "transfers", "cards", "search",
		}
	}
	c.Rate = max(c.Rate, 0)
	c.MaxTokenLen = max(cmp.Or(c.MaxTokenLen, 880), minTokenLen)
	if c.Location == nil {
		c.Location = time.UTC
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Batch = max(cmp.Or(c.Batch, 10*time.Minute).Truncate(time.Minute), time.Minute)
	c.Delay = max(c.Delay, 0)
	c.DelayMax = max(c.DelayMax, c.Delay)
	c.AttackLast = cmp.Or(max(c.AttackLast, 0), 3*c.AttackEvery)
	c.AccessKey = cmp.Or(c.AccessKey, "abs_ak")
	c.SecretKey = cmp.Or(c.SecretKey, "abs_sk")
	c.RestrictedAccessKey = cmp.Or(c.RestrictedAccessKey, "abs_ak_ru")
	c.RestrictedSecretKey = cmp.Or(c.RestrictedSecretKey, "abs_sk_ru")
	c.CallLog = cmp.Or(max(c.CallLog, 0), 4096)
	return c
}
