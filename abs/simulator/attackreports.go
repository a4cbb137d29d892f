package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"time"
)

// The reports besides the two that the pages show in full are composed from the excerpts in facts 5
// to 7; where those are silent they are guesses, written so that a reader that insists on more than
// the excerpts say fails.

// header is the members that all reports about a window begin with.
type header struct {
	Company     string `json:"company,omitempty"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Earlier     string `json:"earlier_date"`
	Later       string `json:"later_date"`
}

// inReports returns whether the attack list and the attack report name an attack at a time.
func inReports(at time.Time) func(Attack) bool {
	return func(a Attack) bool { return !a.Anomaly && !a.ForensicsOnly && !a.VisibleFrom.After(at) }
}

// name returns a token as the user of the query sees it.
func (q query) name(token string) string {
	if q.restricted {
		return string(obfuscate([]byte(token)))
	}
	return token
}

// writeAttackList writes the list of clients that ABS found to attack (facts 7): those of attacks
// in the window, and those that never expire.
func (s *Simulator) writeAttackList(w io.Writer, q query) error {
	list := struct {
		header
		IPs       []string          `json:"ips"`
		Cookies   map[string]string `json:"cookies"`
		Tokens    []string          `json:"oauth_tokens"`
		APIKeys   []string          `json:"api_keys"`
		Usernames []string          `json:"usernames"`
	}{
		header: header{
			"ping identity", "attack_list", "This report contains the clients that were\n  found to attack",
			q.earlier.String(), q.later.String(),
		},
		IPs: []string{}, Cookies: map[string]string{}, Tokens: []string{}, APIKeys: []string{}, Usernames: []string{},
	}
	for i := range s.cfg.StaleAttackListEntries {
		list.Tokens = append(list.Tokens, q.name("expired-"+strconv.FormatUint(mix(s.cfg.Seed, uint64(i)), 36)))
	}
	for _, t := range tokensOf(s.attacksIn(q.view.spans, inReports(q.known))) {
		list.Tokens = append(list.Tokens, q.name(t))
	}
	return writeJSON(w, list)
}

type attackElement struct {
	Type string `json:"attack_type"`
	header
	API    string        `json:"api_name"`
	Tokens []attackToken `json:"access_tokens"`
}

type attackToken struct {
	Token   string         `json:"access_token"`
	Times   []string       `json:"access_time,omitempty"`
	Details []attackDetail `json:"details,omitempty"`
}

type attackDetail struct {
	Time      string `json:"access_time"`
	Code      string `json:"attack_code"`
	Deviation string `json:"attack_deviation"`
}

// writeAttack writes the attack report of all types: with an API its attacks, else those across
// APIs.
func (s *Simulator) writeAttack(w io.Writer, q query, api string) error {
	if api == "" {
		api = Across
	}
	visible := inReports(q.known)
	attacks := s.attacksIn(q.view.spans, func(a Attack) bool { return visible(a) && slices.Contains(a.APIs, api) })
	report := []attackElement{}
	for len(attacks) > 0 {
		name := attacks[0].Type
		var same, others []Attack
		for _, a := range attacks {
			if a.Type == name {
				same = append(same, a)
			} else {
				others = append(others, a)
			}
		}
		attacks = others
		e := attackElement{Type: name, API: api, header: header{
			"", "api_attack_type", "Client (IP or cookie or token) involved in this attack\n  type",
			q.earlier.String(), q.later.String(),
		}}
		for _, token := range tokensOf(same) {
			t := attackToken{Token: q.name(token)}
			for _, a := range same {
				switch at := wallOf(a.From, s.cfg.Location).String(); {
				case a.Token != token:
				case a.ID%2 == 1: // ABS has written the times in two ways over the years
					t.Times = append(t.Times, at)
				default:
					t.Details = append(t.Details, attackDetail{at, "varA(Tx, 26)", "varA(700%)"})
				}
			}
			e.Tokens = append(e.Tokens, t)
		}
		report = append(report, e)
	}
	return writeJSON(w, report)
}

// tokensOf returns the tokens of attacks, each once, in order.
func tokensOf(attacks []Attack) []string {
	var out []string
	for _, a := range attacks {
		out = append(out, a.Token)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// writeAttackStatus writes ABS's own names of attacks (facts 5).
func (s *Simulator) writeAttackStatus(w io.Writer, at time.Time) error {
	type entry struct {
		ID      int    `json:"attack_id"`
		Name    string `json:"attack_name"`
		Enabled string `json:"enabled_time,omitempty"`
	}
	enabled := []entry{}
	for _, t := range attackTypes {
		enabled = append(enabled, entry{t.id, t.name, wallOf(at.Add(-24*time.Hour), s.cfg.Location).String()})
	}
	return writeJSON(w, map[string]any{
		"company": "ping identity", "name": "api_attack_status",
		"attack_status": map[string]any{"enabled": enabled, "disabled": []entry{}},
	})
}

// writeJSON writes a value indented as ABS does: one blank, however deep. As in the published
// samples the line break of a description stands there raw, which makes the report no valid JSON.
func writeJSON(w io.Writer, v any) error {
	b, err := json.MarshalIndent(v, " ", "")
	if err != nil {
		return err
	}
	_, err = w.Write(append(bytes.ReplaceAll(b, []byte(`\n  `), []byte("\n  ")), '\n'))
	return err
}
