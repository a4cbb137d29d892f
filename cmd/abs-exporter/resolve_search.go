package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
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

	token    []byte // nil until it is found
	counts   resolution
	rowsRead int // of any token
}

// errFound ends the reading of a report at the row of the token.
var errFound = errors.New("the token was found")

// notFoundError says where the token is not, and what may help.
type notFoundError struct {
	id       string
	window   abs.Window
	rowsRead int
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("no token with the id %s from %s to %s, among %d rows of ABS's report; "+
		"try --at with the time of the alert, as a token leaves the window when it goes quiet; "+
		"or the key that serve uses (--series.token-key-file, or --state.dir): with another key the same token has another id; "+
		"or a longer --collect.window",
		e.id, e.window.From.Format(time.RFC3339), e.window.To.Format(time.RFC3339), e.rowsRead)
}

// run finds the token and requests its forensics.
func (s *tokenSearch) run(ctx context.Context) (*resolution, error) {
	// An error counts even if some rows of the token were read: they must not pass for all.
	if err := s.read(ctx, s.window); err != nil && !errors.Is(err, errFound) {
		return nil, err
	}
	if s.token == nil {
		return nil, &notFoundError{s.id, s.window, s.rowsRead}
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
	}
	res.token, res.From, res.To = s.token, s.window.From, s.window.To
	res.sort()
	return res, nil
}

// read reads the rows of a window. A window that is too large for ABS, or for the timeout of a
// request, is read in halves, the newer first. So is one whose report lacks rows and is about as
// large as ABS lets a response become.
func (s *tokenSearch) read(ctx context.Context, w abs.Window) error {
	before := s.counts.clone()
	sum, err := s.client.Tokens(ctx, w, func(row *abs.Row) error {
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
	})
	leftOut := err == nil && sum.Truncated(s.responseCap)
	if (err == nil && !leftOut) || errors.Is(err, errFound) || ctx.Err() != nil {
		return err
	}
	half := (w.To.Sub(w.From) / 2).Truncate(time.Minute)
	if (!leftOut && !tooLarge(err)) || half < s.window.To.Sub(s.window.From)/128 || half < time.Minute {
		return err
	}
	s.counts = before // without those of the incomplete report
	middle := w.From.Add(half)
	if err := s.read(ctx, abs.Window{From: middle, To: w.To}); err != nil || (s.token != nil && !s.restricted) {
		return err
	}
	return s.read(ctx, abs.Window{From: w.From, To: middle})
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
}

// clone returns a copy that add does not change.
func (r resolution) clone() resolution {
	for _, counts := range []*[]resolvedCount{&r.APIs, &r.Methods, &r.Devices, &r.IPs} {
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
	for _, counts := range [][]resolvedCount{r.APIs, r.Methods, r.Devices, r.IPs} {
		slices.SortFunc(counts, func(a, b resolvedCount) int {
			return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
		})
	}
}
