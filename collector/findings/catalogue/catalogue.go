package catalogue

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The severities. They are this project's judgement: ABS has none.
const (
	Critical = "critical" // somebody holds what isn't theirs, changes data, or takes a service down: act now
	Warning  = "warning"  // an attempt, or harm that one client can do: look the same day
	Info     = "info"     // unusual, and as often harmless: know it when something else is amiss
	Unknown  = "unknown"  // not in the catalogue
)

// token is the kind of client whose reports this exporter reads.
const token = "token"

// Entry describes one attack type.
type Entry struct {
	ID       int      `yaml:"id"`       // ABS's number of the type; 0 if it is not in the catalogue
	Name     string   `yaml:"name"`     // as ABS's list of types has it; of an unknown type, the name that was looked up
	Category string   `yaml:"category"` // what it is after, such as data_theft; empty if unknown
	Severity string   `yaml:"severity"` // Critical, Warning, Info or Unknown
	Scope    string   `yaml:"scope"`    // where ABS finds it: "per API", or "across APIs" together; empty if unknown
	Clients  []string `yaml:"clients"`  // the kinds of client that ABS lists it for; empty where no page found says so
	Meaning  string   `yaml:"meaning"`  // one line
	Why      string   `yaml:"why"`      // why it has its severity: a short phrase, or that the configuration says so
	Aliases  []string `yaml:"aliases"`  // the other spellings that ABS publishes for it
}

// Catalogue finds attack types by name. It never changes, so it is safe for concurrent use.
type Catalogue struct {
	entries []Entry
	index   map[string]int // a folded spelling to its index in entries
}

// New returns the catalogue with severities overridden: from the name of an attack type in any
// spelling, or its id as text ("36"), to critical, warning or info. A name changes the entry that
// Lookup finds by it.
//
// The error names every override whose type is not in the catalogue, whose severity does not exist,
// or that contradicts another one.
func New(overrides map[string]string) (*Catalogue, error) {
	entries, err := table()
	if err != nil {
		return nil, err
	}
	c := &Catalogue{entries: entries, index: index(entries)}
	var problems []error
	by := make(map[int]string) // an index in entries to the override that set it
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

// Lookup returns the entry of the attack type that ABS calls name, and whether it is in the
// catalogue. For one that isn't, the entry has its name unchanged and the severity Unknown; ABS's
// set of types is open. The name may be any string.
//
// Case, spaces, dashes, underscores and the word "attack" don't matter. Where ABS calls several
// types by one name, the name finds the type that ABS lists for tokens, since this exporter reads
// the reports of tokens: "API Probing Replay Attack Type 1" is 8, though API keys have one of that
// name too (32), and usernames (34).
func (c *Catalogue) Lookup(name string) (Entry, bool) {
	i, ok := c.find(name)
	if !ok {
		return Entry{Name: name, Severity: Unknown}, false
	}
	return c.entries[i].clone(), true
}

// Key returns what is the same for all spellings of a type: its id, or the folded name of a type
// that is not in the catalogue.
func (c *Catalogue) Key(name string) string {
	if i, ok := c.find(name); ok {
		return strconv.Itoa(c.entries[i].ID)
	}
	if len(name) > maxName {
		return name
	}
	return fold(name)
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

// index maps each folded spelling to the index of its entry: of several entries, the one that ABS
// lists for tokens, else the one with the lowest id.
func index(entries []Entry) map[string]int {
	found := make(map[string]int)
	for i, e := range entries {
		for _, spelling := range e.spellings() {
			key := fold(spelling)
			first, taken := found[key]
			if !taken || e.on(token) && !entries[first].on(token) {
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

// quote returns a user's text on one line, 80 bytes at most.
func quote(s string) string {
	const most = 80
	if len(s) <= most {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
}
