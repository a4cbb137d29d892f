package catalogue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The severities. They are this project's judgement: ABS gives none.
const (
	Critical = "critical" // somebody holds what isn't theirs, changes data, or takes a service down: act now
	Warning  = "warning"  // an attempt, or harm that one client can do: look the same day
	Info     = "info"     // unusual, and as often harmless: know it when something else is amiss
	Unknown  = "unknown"  // not in the catalogue
)

// The categories: what an attack is after.
const (
	AbnormalUse       = "abnormal_use"
	AccountTakeover   = "account_takeover"
	DataTampering     = "data_tampering"
	DataTheft         = "data_theft"
	DenialOfService   = "denial_of_service"
	Probing           = "probing"
	StolenCredentials = "stolen_credentials" //nolint:gosec // G101: the name of a category, not a credential
)

// The scopes: ABS finds a type on each API by itself, or over all of them together. For
// the latter its reports say "all" where an API's name would stand.
const (
	PerAPI     = "per API"
	AcrossAPIs = "across APIs"
)

// The kinds of client that ABS tells apart.
const (
	Token    = "token"
	Cookie   = "cookie"
	IP       = "IP address"
	APIKey   = "API key"
	Username = "username"
)

// Entry is what is known of one attack type.
type Entry struct {
	ID       int      // ABS's number of the type; 0 if it is not in the catalogue
	Name     string   // as ABS's list of types has it; of an unknown type, the name that was asked for
	Category string   // what it is after; empty if unknown
	Severity string   // Critical, Warning, Info or Unknown
	Scope    string   // PerAPI or AcrossAPIs; empty if unknown
	Clients  []string // the kinds of client that ABS lists it for; empty where no page found tells
	Meaning  string   // one line
	Why      string   // why it has its severity: a short phrase, or that the configuration says so
	Aliases  []string // the other spellings that ABS publishes for it
}

// Catalogue finds attack types by name. It never changes, so many may ask it at once.
type Catalogue struct {
	entries []Entry
	index   map[string]int // a folded spelling to its place in entries
}

// New returns the catalogue with the severities of overrides put in: from the name of an
// attack type in any spelling, or its id as text ("36"), to critical, warning or info. A
// name changes the entry that Lookup finds by it.
//
// The error tells of every override that names no type of the catalogue, gives no such
// severity, or contradicts another one.
func New(overrides map[string]string) (*Catalogue, error) {
	entries := table()
	c := &Catalogue{entries: entries, index: index(entries)}
	var problems []error
	by := make(map[int]string) // a place in entries to the override that has set it
	for _, key := range slices.Sorted(maps.Keys(overrides)) {
		severity := overrides[key]
		i, ok := c.find(key)
		if id, err := strconv.Atoi(key); err == nil {
			i = slices.IndexFunc(entries, func(e Entry) bool { return e.ID == id })
			ok = i >= 0
		}
		switch {
		case !ok:
			problems = append(problems, fmt.Errorf("attack type %s is not in the catalogue: "+
				"give a name or an id that docs/attack-types.md lists", quote(key)))
			continue
		case severity != Critical && severity != Warning && severity != Info:
			problems = append(problems, fmt.Errorf("attack type %s: %s is no severity: give %s, %s or %s",
				quote(key), quote(severity), Critical, Warning, Info))
			continue
		}
		if earlier, twice := by[i]; twice && overrides[earlier] != severity {
			problems = append(problems, fmt.Errorf("attack types %s and %s are both id %d, but their severities are %s and %s: give one",
				quote(earlier), quote(key), entries[i].ID, overrides[earlier], severity))
			continue
		}
		by[i] = key
		entries[i].Severity, entries[i].Why = severity, "the configuration says so"
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return c, nil
}

// Lookup returns what is known of the attack type that ABS calls name, and whether it is
// in the catalogue. One that isn't comes back with its name, whole and as it was, and the
// severity Unknown; ABS's set of types is open. Any string may be asked for.
//
// Case, spaces, dashes, underscores and the word "attack" don't matter. Where ABS calls
// several types by one name, the name finds the type that ABS lists for tokens, since
// this exporter reads tokens' reports: "API Probing Replay Attack Type 1" is 8, though API
// keys have one of that name too (32), and usernames (34).
func (c *Catalogue) Lookup(name string) (Entry, bool) {
	i, ok := c.find(name)
	if !ok {
		return Entry{Name: name, Severity: Unknown}, false
	}
	return c.entries[i].clone(), true
}

// Entries returns all types of the catalogue by id, as a copy.
func (c *Catalogue) Entries() []Entry {
	all := make([]Entry, len(c.entries))
	for i, e := range c.entries {
		all[i] = e.clone()
	}
	return all
}

func (c *Catalogue) find(name string) (int, bool) {
	if len(name) > maxName {
		return 0, false
	}
	i, ok := c.index[fold(name)]
	return i, ok
}

// index leads from each folded spelling to the place of its entry. Of several entries it
// takes the one that ABS lists for tokens, else the one with the lowest id.
func index(entries []Entry) map[string]int {
	found := make(map[string]int)
	for i, e := range entries {
		for _, spelling := range e.spellings() {
			key := fold(spelling)
			first, taken := found[key]
			if !taken || e.on(Token) && !entries[first].on(Token) {
				found[key] = i
			}
		}
	}
	return found
}

func (e Entry) spellings() []string { return append([]string{e.Name}, e.Aliases...) }

func (e Entry) on(client string) bool { return slices.Contains(e.Clients, client) }

func (e Entry) clone() Entry {
	e.Clients, e.Aliases = slices.Clone(e.Clients), slices.Clone(e.Aliases)
	return e
}

// quote shows what a user has written, on one line and not at any length.
func quote(s string) string {
	most := 80
	if len(s) <= most {
		return strconv.Quote(s)
	}
	for !utf8.RuneStart(s[most]) && most > 0 {
		most--
	}
	return strconv.Quote(s[:most]) + "…"
}
