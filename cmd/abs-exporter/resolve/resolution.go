package resolve

import (
	"cmp"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// resolution is what ABS reports of one token in one window.
type resolution struct {
	Target      string    `json:"target"`
	TokenID     string    `json:"token_id"`
	Token       string    `json:"token"` // masked without --show-token
	TokenLength int       `json:"token_length"`
	From        time.Time `json:"window_from"`
	To          time.Time `json:"window_to"`
	Requests    int64     `json:"requests"`
	APIs        []count   `json:"apis"`
	Methods     []count   `json:"methods"`
	Devices     []count   `json:"devices"`
	IPs         []count   `json:"ips"`
	URLs        []count   `json:"urls"`
	Forensics   bool      `json:"forensics"` // false for the restricted user: attacks are not known
	Attacks     []finding `json:"attacks"`
	Anomalies   []finding `json:"anomalies"`

	token []byte
}

type count struct {
	Name     string `json:"name"`
	Requests int64  `json:"requests"`
}

type finding struct {
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
func (r *resolution) lists() []*[]count {
	return []*[]count{&r.APIs, &r.Methods, &r.Devices, &r.IPs, &r.URLs}
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

func addCounts(to []count, counts []abs.Count) []count {
	if to == nil {
		to = []count{} // JSON: [] and not null
	}
	index := make(map[string]int, len(to))
	for i, c := range to {
		index[c.Name] = i
	}
	for _, c := range counts {
		i, ok := index[string(c.Key)]
		if !ok {
			i = len(to)
			to = append(to, count{Name: string(c.Key)})
			index[to[i].Name] = i
		}
		to[i].Requests += c.N
	}
	return to
}

func findings(found []abs.Finding) []finding {
	out := make([]finding, len(found))
	for i, f := range found {
		out[i] = finding{Type: f.Type, APIs: append([]string{}, f.APIs...)}
	}
	return out
}

// sort sorts all counts, the largest first.
func (r *resolution) sort() {
	for _, counts := range r.lists() {
		slices.SortFunc(*counts, func(a, b count) int {
			return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
		})
	}
}
