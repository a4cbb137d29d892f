package resolve

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/reports"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// addressSearch finds the tokens that one client address used in the reports of one ABS.
type addressSearch struct {
	client *abs.Client
	key    tokenid.Key
	types  *catalogue.Catalogue
	log    *slog.Logger

	rowsRead int
	rows     []addressToken // of tokens that the address used; a token may have several
}

// addressUse is what ABS reports of the tokens that one address used in one window.
type addressUse struct {
	Target   string         `json:"target"`
	Address  string         `json:"address"`
	From     time.Time      `json:"window_from"`
	To       time.Time      `json:"window_to"`
	Requests int64          `json:"requests"` // of the address
	Tokens   []addressToken `json:"tokens"`
	// AttacksRead is false where an attack report could not be read: some attacks may be missing.
	AttacksRead bool `json:"attacks_read"`
}

// addressToken is a token that an address used.
type addressToken struct {
	TokenID       string    `json:"token_id"`
	Token         string    `json:"token"` // masked without --show-token
	TokenLength   int       `json:"token_length"`
	Requests      int64     `json:"requests"`       // from the address
	TokenRequests int64     `json:"token_requests"` // from any address
	APIs          []count   `json:"apis"`           // requests from the address
	Attacks       []finding `json:"attacks"`

	token []byte
}

// addressAt searches one target for the tokens of the address.
func (r *resolver) addressAt(ctx context.Context, t *config.Target) (*addressUse, error) {
	ip, _ := netip.ParseAddr(r.IP) // valid: the flag was validated
	client, err := r.connect(t, func(c *abs.Config) { c.IP = ip })
	if err != nil {
		return nil, err
	}
	defer client.Close()
	s := &addressSearch{client: client, key: r.Key, types: t.Catalogue, log: r.log}
	window := r.Window(t, r.now)
	parts := windowParts{client: client, whole: window, responseCap: int64(t.ResponseCap)}
	if err := parts.read(ctx, window, s.begin); err != nil {
		return nil, err
	}
	use := &addressUse{Target: t.Name, Address: ip.Unmap().String(), From: window.From, To: window.To, Tokens: s.tokens()}
	if len(use.Tokens) == 0 {
		return nil, &notFoundError{
			"token was used by the address " + use.Address, "try --at with the time of the alert, or a longer --collect.window", window, s.rowsRead,
		}
	}
	for _, token := range use.Tokens {
		use.Requests += token.Requests
	}
	use.AttacksRead = s.attacks(ctx, window, use.Tokens)
	for i := range use.Tokens {
		classify(use.Tokens[i].Attacks, t.Catalogue)
	}
	return use, nil
}

// begin begins to read a report; undo forgets it.
func (s *addressSearch) begin() (row func(*abs.Row) error, undo func()) {
	before := len(s.rows)
	return func(row *abs.Row) error {
		s.rowsRead++
		if len(row.IPs) == 0 {
			return nil
		}
		used := addressToken{token: bytes.Clone(row.Token), TokenRequests: row.Requests, APIs: addCounts(nil, row.APIs)}
		for _, ip := range row.IPs {
			used.Requests += ip.N
		}
		s.rows = append(s.rows, used)
		return nil
	}, func() { s.rows = s.rows[:before] }
}

// tokens returns the tokens of the rows, the busiest from the address first.
func (s *addressSearch) tokens() []addressToken {
	byToken := map[string]*addressToken{}
	for i := range s.rows {
		row := &s.rows[i]
		t := byToken[string(row.token)]
		if t == nil {
			row.TokenID, row.TokenLength = s.key.ID(row.token).String(), len(row.token)
			byToken[string(row.token)] = row
			continue
		}
		t.Requests += row.Requests
		t.TokenRequests += row.TokenRequests
		t.APIs = mergeCounts(append(t.APIs, row.APIs...))
	}
	all := make([]addressToken, 0, len(byToken))
	for _, t := range byToken {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b addressToken) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.TokenID, b.TokenID))
	})
	return all
}

// attacks adds the attacks that the attack reports name of the tokens: across APIs, and of each API
// that the address used. It returns false if one could not be read.
func (s *addressSearch) attacks(ctx context.Context, w abs.Window, tokens []addressToken) bool {
	byToken, apis := map[string]*addressToken{}, map[string]bool{"": true}
	for i := range tokens {
		byToken[string(tokens[i].token)] = &tokens[i]
		tokens[i].Attacks = []finding{}
		for _, api := range tokens[i].APIs {
			apis[api.Name] = api.Name != reports.Other
		}
	}
	for _, api := range slices.Sorted(maps.Keys(apis)) {
		if !apis[api] {
			continue
		}
		_, err := s.client.Attacks(ctx, w, api, func(f abs.FlaggedToken) error {
			if t := byToken[string(f.Token)]; t != nil && f.AttackType != "" {
				s.addAttack(t, f.AttackType, cmp.Or(f.API, api, acrossAPIs))
			}
			return nil
		})
		if err != nil {
			s.log.Warn("attack report not read", "api", cmp.Or(api, acrossAPIs), "err", err, "consequence", "attacks may be missing from the list")
			return false
		}
	}
	return true
}

func (s *addressSearch) addAttack(t *addressToken, attackType, api string) {
	i := slices.IndexFunc(t.Attacks, func(f finding) bool { return s.types.Key(f.Type) == s.types.Key(attackType) })
	if i < 0 {
		i = len(t.Attacks)
		t.Attacks = append(t.Attacks, finding{Type: attackType, APIs: []string{}})
	}
	if a := &t.Attacks[i]; !slices.Contains(a.APIs, api) {
		a.APIs = append(a.APIs, api)
	}
}

// show masks the tokens, unless they are asked for.
func (u *addressUse) show(whole bool) {
	for i := range u.Tokens {
		u.Tokens[i].show(whole)
	}
}

func (t *addressToken) show(whole bool) {
	r := resolution{token: t.token, APIs: t.APIs}
	r.show(whole)
	r.sort()
	t.Token, t.APIs = r.Token, r.APIs
}

// shownTokens is how many tokens are printed as text: a proxy may be the address of all of them.
const shownTokens = 50

func (u *addressUse) text(showToken bool) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("target     %s", printable(u.Target))
	p("address    %s", u.Address)
	p("window     %s to %s", u.From.Format(time.RFC3339), u.To.Format(time.RFC3339))
	p("requests   %d", u.Requests)
	p("tokens     %d", len(u.Tokens))
	if !u.AttacksRead {
		p("attacks    some may be missing: an attack report could not be read")
	}
	for i, t := range u.Tokens {
		if i == shownTokens {
			p("... and %d more: --output=json has all", len(u.Tokens)-shownTokens)
			break
		}
		t.text(p, showToken)
	}
	return b.String()
}

func (t *addressToken) text(p func(string, ...any), showToken bool) {
	p("%s  %d of its %d requests", t.TokenID, t.Requests, t.TokenRequests)
	if showToken {
		p("  token     %s", printable(t.Token))
	}
	apis := make([]string, len(t.APIs))
	for i, api := range t.APIs {
		apis[i] = fmt.Sprintf("%s %d", printable(api.Name), api.Requests)
	}
	if len(apis) > 0 {
		p("  APIs      %s", strings.Join(apis, ", "))
	}
	for _, f := range t.Attacks {
		on := make([]string, len(f.APIs))
		for i, api := range f.APIs {
			on[i] = printable(api)
		}
		p("  %-8s  %s on %s", f.Severity, printable(f.Type), strings.Join(on, ", "))
	}
}
