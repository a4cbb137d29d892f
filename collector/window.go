package collector

import (
	"context"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// maxWindowParts bounds into how many reports the sliding window is cut.
const maxWindowParts = 64

// window is what ABS last told of the sliding window.
type window struct {
	parts int // in how many reports it is read
	tried time.Time
	ok    bool // the last try succeeded

	read     time.Time // when the last complete reading began; zero: never
	span     ledger.Span
	whole    bool // read as one report that had a summary
	tokens   int64
	requests int64
	unlisted int64
	listed   map[tokenid.ID]int64 // requests of listed tokens
}

// readWindow reads the sliding window when it is time to: for its gauges, and to learn
// which tokens there are to ask forensics about. It tells whether it was read.
func (t *target) readWindow(ctx context.Context) bool {
	w := &t.window
	if ctx.Err() != nil || w.ok && t.cycle.began.Sub(w.tried) < t.o.reread() {
		return false
	}
	w.tried, w.ok = t.cycle.began, false
	to := t.clock.Now().Truncate(time.Minute)
	span := ledger.Span{From: to.Add(-t.o.Window).Truncate(time.Minute), To: to}
	next := window{parts: w.parts, tried: w.tried, ok: true, read: t.clock.Now(), span: span, listed: map[tokenid.ID]int64{}}
	complete := true
	choice := t.forensics.plan.Choose(t.budget(), t.cycle.began, t.suspected)
	seen := map[tokenid.ID]struct{}{} // of the suspects
	var longest int64
	var inWindow *filter
	if t.hints != nil {
		inWindow = newFilter()
	}
	for _, part := range cutEvenly(span, w.parts) {
		s, err := t.ABS.Tokens(ctx, abs.Window(part), func(row *abs.Row) error {
			id := t.ids.ID(row.Token)
			if t.ledger.IsTracked(id) {
				next.listed[id] += row.Requests
			}
			if inWindow != nil {
				inWindow.add(id)
			}
			if _, ok := t.attacks.suspects[id]; ok {
				seen[id] = struct{}{}
			}
			choice.Offer(id, row.Token, row.Requests)
			return nil
		})
		if err != nil {
			t.windowFailed(ctx, err)
			return false
		}
		t.cycle.succeeded++
		next.whole = w.parts == 1 && s.HasSummary
		next.tokens, next.requests = s.Tokens, s.Requests
		longest = max(longest, s.Bytes)
		next.unlisted = max(0, s.Requests-s.RowRequests)
		if t.truncated(s) && w.parts < maxWindowParts {
			next.parts = w.parts * 2 // rows seem to have been left out
			complete = false
		}
	}
	if ledger.ResponseCap(t.ResponseCap).Merges(longest) {
		next.parts = max(1, w.parts/2)
	}
	*w = next
	choice.Done()
	if t.hints != nil {
		t.hints.inWindow = inWindow
	}
	// A token that is not listed is gone only if all are. And for a restricted user ABS
	// may obfuscate a token otherwise here than in its attack reports.
	if !complete || !t.Forensics {
		t.turn()
		return true
	}
	for _, id := range sortedIDs(t.attacks.suspects) {
		if _, ok := seen[id]; ok {
			continue
		}
		for _, e := range t.attacks.gone(id, t.clock.Now()) {
			t.event(e)
		}
	}
	t.turn()
	return true
}

func (t *target) windowFailed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	t.cycle.failed++
	if refusal(err) != ledger.Unavailable && t.window.parts < maxWindowParts {
		t.window.parts *= 2
	}
	t.failure("the window report could not be read", err,
		"its gauges hold their last value, for --collect.window at most; it is tried again in the next cycle")
}

// cutEvenly cuts a span into parts of whole minutes.
func cutEvenly(s ledger.Span, parts int) []ledger.Span {
	parts = max(1, min(parts, s.Minutes()))
	spans := make([]ledger.Span, 0, parts)
	for i := range parts {
		spans = append(spans, ledger.Span{
			From: s.From.Add(time.Duration(s.Minutes()*i/parts) * time.Minute),
			To:   s.From.Add(time.Duration(s.Minutes()*(i+1)/parts) * time.Minute),
		})
	}
	return spans
}

// fresh tells whether what ABS said of the window may still be shown.
func (w *window) fresh(now time.Time, limit time.Duration) bool {
	return !w.read.IsZero() && now.Sub(w.read) <= limit
}

// windowGauges are the families that the window report feeds; none when it is too long
// ago.
func (t *target) windowGauges(now time.Time) []metrics.Block {
	w, g := &t.window, t.gauges
	if !w.fresh(now, t.o.Window) {
		return nil
	}
	blocks := []metrics.Block{g.block(metrics.WindowSeconds, int64(w.span.To.Sub(w.span.From)/time.Second))}
	if w.whole {
		blocks = append(blocks, g.block(metrics.WindowTokens, w.tokens), g.block(metrics.WindowRequests, w.requests),
			g.block(metrics.WindowUnattributedRequests, w.unlisted))
	}
	if t.o.MaxTokens == 0 {
		return blocks
	}
	perToken := metrics.Block{Family: metrics.TokenWindowRequests, Samples: make([]metrics.Sample, 0, len(w.listed))}
	for _, id := range sortedIDs(w.listed) {
		perToken.Samples = append(perToken.Samples, g.ofToken(perToken.Family, w.listed[id], id))
	}
	return append(blocks, perToken)
}
