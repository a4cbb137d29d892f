package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
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

// errFound ends the reading of a report at the row of the token.
var errFound = errors.New("the token was found")

// notFoundError says what is not there, and what may help.
type notFoundError struct {
	what, advice string
	window       abs.Window
	rowsRead     int
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("no %s from %s to %s, among %d rows of ABS's report; %s",
		e.what, e.window.From.Format(time.RFC3339), e.window.To.Format(time.RFC3339), e.rowsRead, e.advice)
}

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
		res = &resolution{Forensics: true, Attacks: resolvedFindings(f.AttackTypes), Anomalies: resolvedFindings(f.AnomalyTypes)}
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

// windowParts reads the rows of a window, as a whole or in parts.
type windowParts struct {
	client      *abs.Client
	whole       abs.Window
	responseCap int64 // of ABS, in bytes
}

// read reads the rows of a window. A window that is too large for ABS, or for the timeout of a
// request, is read in halves, the newer first. So is one whose report lacks rows and is about as
// large as ABS lets a response become. begin is called for each report: undo forgets its rows.
func (p *windowParts) read(ctx context.Context, w abs.Window, begin func() (row func(*abs.Row) error, undo func())) error {
	row, undo := begin()
	sum, err := p.client.Tokens(ctx, w, row)
	leftOut := err == nil && sum.Truncated(p.responseCap)
	if (err == nil && !leftOut) || errors.Is(err, errFound) || ctx.Err() != nil {
		return err
	}
	half := (w.To.Sub(w.From) / 2).Truncate(time.Minute)
	if (!leftOut && !tooLarge(err)) || half < p.whole.To.Sub(p.whole.From)/128 || half < time.Minute {
		return err
	}
	undo()
	middle := w.From.Add(half)
	if err := p.read(ctx, abs.Window{From: middle, To: w.To}, begin); err != nil {
		return err
	}
	return p.read(ctx, abs.Window{From: w.From, To: middle}, begin)
}

// tooLarge reports whether a request may succeed for a smaller window.
func tooLarge(err error) bool {
	e := (*abs.Error)(nil)
	return errors.As(err, &e) && (e.TooLong() || e.Reason == abs.ReasonTimeout)
}

// resolution is what ABS reports of one token in one window.
type resolution struct {
	Target      string            `json:"target"`
	TokenID     string            `json:"token_id"`
	Token       string            `json:"token"` // masked without --show-token
	TokenLength int               `json:"token_length"`
	From        time.Time         `json:"window_from"`
	To          time.Time         `json:"window_to"`
	Requests    int64             `json:"requests"`
	APIs        []resolvedCount   `json:"apis"`
	Methods     []resolvedCount   `json:"methods"`
	Devices     []resolvedCount   `json:"devices"`
	IPs         []resolvedCount   `json:"ips"`
	URLs        []resolvedCount   `json:"urls"`
	Forensics   bool              `json:"forensics"` // false for the restricted user: attacks are not known
	Attacks     []resolvedFinding `json:"attacks"`
	Anomalies   []resolvedFinding `json:"anomalies"`

	token []byte
}

type resolvedCount struct {
	Name     string `json:"name"`
	Requests int64  `json:"requests"`
}

type resolvedFinding struct {
	Type     string   `json:"type"`
	ID       int      `json:"id,omitempty"`
	Category string   `json:"category,omitempty"`
	Severity string   `json:"severity"`
	APIs     []string `json:"apis"`
	// First and Last are the first and the last request of an attack that ABS names; nil: unknown.
	First *time.Time `json:"first_access,omitempty"`
	Last  *time.Time `json:"last_access,omitempty"`
}

// lists returns all lists of counts.
func (r *resolution) lists() []*[]resolvedCount {
	return []*[]resolvedCount{&r.APIs, &r.Methods, &r.Devices, &r.IPs, &r.URLs}
}

// clone returns a copy that add does not change.
func (r resolution) clone() resolution {
	for _, counts := range r.lists() {
		*counts = slices.Clone(*counts)
	}
	return r
}

// add adds a row of the report, in which a name may occur many times.
func (r *resolution) add(row *abs.Row) {
	r.Requests += row.Requests
	r.APIs = addCounts(r.APIs, row.APIs)
	r.Methods = addCounts(r.Methods, row.Methods)
	r.Devices = addCounts(r.Devices, row.Devices)
	r.IPs = addCounts(r.IPs, row.IPs)
	r.URLs = addCounts(r.URLs, row.URLs)
}

func addCounts(to []resolvedCount, counts []abs.Count) []resolvedCount {
	if to == nil {
		to = []resolvedCount{} // JSON: [] and not null
	}
	index := make(map[string]int, len(to))
	for i, c := range to {
		index[c.Name] = i
	}
	for _, c := range counts {
		i, ok := index[string(c.Key)]
		if !ok {
			i = len(to)
			to = append(to, resolvedCount{Name: string(c.Key)})
			index[to[i].Name] = i
		}
		to[i].Requests += c.N
	}
	return to
}

func resolvedFindings(found []abs.Finding) []resolvedFinding {
	out := make([]resolvedFinding, len(found))
	for i, f := range found {
		out[i] = resolvedFinding{Type: f.Type, APIs: append([]string{}, f.APIs...)}
	}
	return out
}

// sort sorts all counts, the largest first.
func (r *resolution) sort() {
	for _, counts := range r.lists() {
		slices.SortFunc(*counts, func(a, b resolvedCount) int {
			return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
		})
	}
}
