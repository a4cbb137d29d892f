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

// tokenSearch finds the token behind an id in the reports of one ABS.
type tokenSearch struct {
	client     *abs.Client
	key        tokenid.Key
	id         string
	window     abs.Window
	restricted bool
	cap        int64 // how large an answer ABS gives

	token  []byte // what was looked for; nil until it is found
	rows   resolution
	looked int // rows, of any token
}

// errSeen ends the reading of a report: the rest of it is of no use.
var errSeen = errors.New("the token was found")

// notFoundError says where the token is not, and what may help.
type notFoundError struct {
	id     string
	window abs.Window
	looked int
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("no token with the id %s from %s to %s, among %d rows of ABS's report; "+
		"try --at with the time of the alert, as a token leaves the window when it goes quiet; "+
		"or the key that serve uses (--series.token-key-file, or --state.dir): with another key the same token has another id; "+
		"or a longer --collect.window",
		e.id, e.window.From.Format(time.RFC3339), e.window.To.Format(time.RFC3339), e.looked)
}

// run finds the token and asks what ABS knows of it.
func (s *tokenSearch) run(ctx context.Context) (*resolution, error) {
	if err := s.read(ctx, s.window); err != nil && !errors.Is(err, errSeen) {
		return nil, err // also when some rows of the token were read: part of them must not pass for all
	}
	if s.token == nil {
		return nil, &notFoundError{s.id, s.window, s.looked}
	}
	res := &s.rows
	if !s.restricted {
		f, err := s.client.Forensics(ctx, s.window, s.token)
		if err != nil {
			return nil, fmt.Errorf("the token is there (%s), but not what ABS knows of it: %w", masked(s.token), err)
		}
		res = &resolution{Forensics: true, Attacks: findingsOf(f.AttackTypes), Anomalies: findingsOf(f.AnomalyTypes)}
		res.add(&f.Metrics)
		if f.HasSummary {
			res.Requests = f.Requests
		}
	}
	res.token, res.From, res.To = s.token, s.window.From, s.window.To
	res.sort()
	return res, nil
}

// read goes through the rows of a window. One that is too much for ABS, or for the time
// that a request has, is read in halves, the newer first; and so is one that ABS left rows
// out of, as its answer is as large as they become.
func (s *tokenSearch) read(ctx context.Context, w abs.Window) error {
	before := s.rows.clone()
	sum, err := s.client.Tokens(ctx, w, func(row *abs.Row) error {
		s.looked++
		if s.key.ID(row.Token).String() != s.id {
			return nil
		}
		s.token = bytes.Clone(row.Token)
		s.rows.add(row)
		if s.restricted {
			return nil // rows are all there is: a token may have several
		}
		return errSeen
	})
	leftOut := err == nil && sum.HasSummary && sum.RowRequests < sum.Requests && sum.Bytes >= s.cap/10*9
	if (err == nil && !leftOut) || errors.Is(err, errSeen) || ctx.Err() != nil {
		return err
	}
	half := (w.To.Sub(w.From) / 2).Truncate(time.Minute)
	if (!leftOut && !tooMuch(err)) || half < s.window.To.Sub(s.window.From)/128 || half < time.Minute {
		return err
	}
	s.rows = before // without those of the report that was not whole
	middle := w.From.Add(half)
	if err := s.read(ctx, abs.Window{From: middle, To: w.To}); err != nil || (s.token != nil && !s.restricted) {
		return err
	}
	return s.read(ctx, abs.Window{From: w.From, To: middle})
}

// tooMuch tells whether a smaller window may be answered where this one was not.
func tooMuch(err error) bool {
	e := (*abs.Error)(nil)
	if !errors.As(err, &e) {
		return false
	}
	return e.Truncated || e.Reason == abs.ReasonSize || e.Reason == abs.ReasonTimeout
}

// resolution is what ABS knows of one token in one window.
type resolution struct {
	Target      string            `json:"target"`
	TokenID     string            `json:"token_id"`
	Token       string            `json:"token"` // masked, unless it was asked for whole
	TokenLength int               `json:"token_length"`
	From        time.Time         `json:"window_from"`
	To          time.Time         `json:"window_to"`
	Requests    int64             `json:"requests"`
	APIs        []resolvedCount   `json:"apis"`
	Methods     []resolvedCount   `json:"methods"`
	Devices     []resolvedCount   `json:"devices"`
	IPs         []resolvedCount   `json:"ips"`
	Forensics   bool              `json:"forensics"` // false: the restricted user is told no attacks
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

// clone shares nothing with what add writes to.
func (r resolution) clone() resolution {
	for _, counts := range []*[]resolvedCount{&r.APIs, &r.Methods, &r.Devices, &r.IPs} {
		*counts = slices.Clone(*counts)
	}
	return r
}

// add adds a row of the report; a name may come many times.
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
	at := make(map[string]int, len(to))
	for i, c := range to {
		at[c.Name] = i
	}
	for _, c := range counts {
		i, ok := at[string(c.Key)]
		if !ok {
			i = len(to)
			to = append(to, resolvedCount{Name: string(c.Key)})
			at[to[i].Name] = i
		}
		to[i].Requests += c.N
	}
	return to
}

func findingsOf(found []abs.Finding) []resolvedFinding {
	out := make([]resolvedFinding, len(found))
	for i, f := range found {
		out[i] = resolvedFinding{Type: f.Type, APIs: append([]string{}, f.APIs...)}
	}
	return out
}

// sort puts what is most to the front.
func (r *resolution) sort() {
	for _, counts := range [][]resolvedCount{r.APIs, r.Methods, r.Devices, r.IPs} {
		slices.SortFunc(counts, func(a, b resolvedCount) int {
			return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
		})
	}
}
