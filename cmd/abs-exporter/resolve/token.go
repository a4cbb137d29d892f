package resolve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// tokenSearch finds the token behind a token id in the reports of one ABS.
type tokenSearch struct {
	client      *abs.Client
	key         tokenid.Key
	id          string
	window      abs.Window
	restricted  bool
	responseCap int64 // of ABS, in bytes
	location    *time.Location
	types       *catalogue.Catalogue
	log         *slog.Logger

	token    []byte // nil until it is found
	counts   resolution
	rowsRead int // of any token
}

// tokenAt searches one target for the token.
func (r *resolver) tokenAt(ctx context.Context, t *config.Target) (*resolution, error) {
	client, err := r.connect(t, func(c *abs.Config) { c.URLs = rawURL })
	if err != nil {
		return nil, err
	}
	defer client.Close()
	s := &tokenSearch{
		client: client, key: r.Key, id: string(r.TokenID), window: r.Window(t, r.now),
		restricted: t.Restricted(), responseCap: int64(t.ResponseCap),
		location: t.Location, types: t.Catalogue, log: r.log,
	}
	res, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	res.Target, res.TokenID = t.Name, s.id
	classify(res.Attacks, t.Catalogue)
	classify(res.Anomalies, t.Catalogue)
	return res, nil
}

// rawURL appends a URL as ABS reports it.
func rawURL(dst, url, _ []byte) []byte { return append(dst, url...) }

// errFound ends the reading of a report at the row of the token.
var errFound = errors.New("the token was found")

// run finds the token and requests its forensics.
func (s *tokenSearch) run(ctx context.Context) (*resolution, error) {
	// An error counts even if some rows of the token were read: they must not pass for all.
	parts := windowParts{s.client, s.window, s.responseCap}
	if err := parts.read(ctx, s.window, s.begin); err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	if s.token == nil {
		return nil, &notFoundError{
			"token with the id " + s.id,
			"try --at with the time of the alert, as a token leaves the window when it goes quiet; " +
				"or the key that serve uses (--series.token-key-file, or --state.dir): with another key the same token has another id; " +
				"or a longer --collect.window",
			s.window, s.rowsRead,
		}
	}
	res := &s.counts
	if !s.restricted {
		f, err := s.client.Forensics(ctx, s.window, s.token)
		if err != nil {
			return nil, fmt.Errorf("the token was found (%s), but its forensics cannot be read: %w", masked(s.token), err)
		}
		res = &resolution{Forensics: true, Attacks: findings(f.AttackTypes), Anomalies: findings(f.AnomalyTypes)}
		res.add(&f.Metrics)
		if f.HasSummary {
			res.Requests = f.Requests
		}
		s.attackTimes(ctx, res)
	}
	res.token, res.From, res.To = s.token, s.window.From, s.window.To
	res.sort()
	return res, nil
}

// attackTimes adds when the requests of each attack were made: the attack report has it. What it
// does not name has no times.
func (s *tokenSearch) attackTimes(ctx context.Context, res *resolution) {
	read := map[string]bool{}
	for _, attack := range res.Attacks {
		for _, api := range attack.APIs {
			if read[api] {
				continue
			}
			read[api] = true
			of := api
			if of == acrossAPIs {
				of = ""
			}
			if _, err := s.client.Attacks(ctx, s.window, of, func(f abs.FlaggedToken) error { s.addTimes(res, f); return nil }); err != nil {
				s.log.Warn("attack report not read", "api", api, "err", err, "consequence", "the times of its attacks are not printed")
				return
			}
		}
	}
}

// acrossAPIs is ABS's own word, in place of an API, for an attack that no single API saw.
const acrossAPIs = "all"

func (s *tokenSearch) addTimes(res *resolution, f abs.FlaggedToken) {
	if f.FirstAccess.IsZero() || s.key.ID(f.Token).String() != s.id {
		return
	}
	inZone := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), s.location)
	}
	first, last := inZone(f.FirstAccess), inZone(f.LastAccess)
	for i := range res.Attacks {
		a := &res.Attacks[i]
		if s.types.Key(a.Type) != s.types.Key(f.AttackType) {
			continue
		}
		if a.First == nil || first.Before(*a.First) {
			a.First = &first
		}
		if a.Last == nil || last.After(*a.Last) {
			a.Last = &last
		}
	}
}

// begin begins to read a report; undo forgets what was counted of it.
func (s *tokenSearch) begin() (row func(*abs.Row) error, undo func()) {
	before := s.counts.clone()
	return func(row *abs.Row) error {
		s.rowsRead++
		if s.key.ID(row.Token).String() != s.id {
			return nil
		}
		s.token = bytes.Clone(row.Token)
		s.counts.add(row)
		if s.restricted {
			return nil // without forensics, all rows of the token are needed
		}
		return errFound
	}, func() { s.counts = before }
}
