package admin

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// What is kept of a report is bounded. The published one has less than 1 kB for each API.
const (
	maxAPIs  = 1000
	maxNodes = 100 // of ABS, and as many of MongoDB
	maxName  = 128 // bytes, as the value of a label has: metrics.MaxLabelValue

	// MaxBody is how long a report may be, in bytes.
	MaxBody = 16 << 20
)

// Reader reads one admin report, member by member. ABS's pages show the members for licence and
// APIs. For nodes and the time zone they say only that the report contains them, so these are found
// by the names of their members, at any depth. Nothing in the report is counted, so a value that is
// not understood is left out and fails nothing.
type Reader struct {
	*jsonscan.Scanner
	loc      *time.Location // of dates that name no known zone
	out      Report
	zoneRank int // of the member that has the time zone; see zone
}

// NewReader returns a reader of the report that the scanner is about to read. loc is the zone of
// dates without a known zone.
func NewReader(s *jsonscan.Scanner, loc *time.Location) *Reader { return &Reader{Scanner: s, loc: loc} }

// Report returns what was read.
func (a *Reader) Report() Report { return a.out }

// Member consumes the value of a member of the report. It returns whether only admin reports have
// such a member.
func (a *Reader) Member(name string) (known bool) {
	switch name {
	case "license_info":
		a.license()
	case "across_api_prediction_mode":
		a.out.AcrossAPIs = a.yes(1)
	case "apis":
		a.apis()
	default:
		a.search(strings.ToLower(name), 1, inNothing)
		return false
	}
	return true
}

// members yields the names of an object's members. The loop's body must consume the value of each.
func (a *Reader) members() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for key, more := a.Open(); more; key, more = a.Next() {
			if !yield(key) {
				return
			}
		}
	}
}

func (a *Reader) license() {
	l := &a.out.License
	if !a.isObject(1) {
		return
	}
	for key := range a.members() {
		switch string(key) {
		case "tier":
			l.Tier = a.name(2)
		case "expiry":
			l.Expiry = a.date(2)
		case "expired":
			l.Expired = a.yes(2)
		case "max_transactions_per_month":
			l.MaxTransactions = a.count(2)
		case "current_month_transactions":
			l.Transactions = a.count(2)
		default:
			a.Skip(2)
		}
	}
}

func (a *Reader) apis() {
	if a.Peek() != '[' {
		a.Skip(1)
		return
	}
	if a.out.APIs == nil {
		a.out.APIs = []API{}
	}
	seen := map[string]bool{}
	for i := range a.out.APIs { // of another member apis
		seen[a.out.APIs[i].Name] = true
	}
	for range a.Elements() {
		if !a.isObject(2) {
			continue
		}
		api := a.api()
		switch {
		case api.Name == "" || seen[api.Name]:
		case len(a.out.APIs) == maxAPIs:
			a.out.Omitted++
		default:
			a.out.APIs = append(a.out.APIs, api)
			seen[api.Name] = true
		}
	}
}

func (a *Reader) api() (api API) {
	for key := range a.members() {
		switch string(key) {
		case "api_name":
			api.Name = a.name(3)
		case "api_type":
			api.Type = a.name(3)
		case "token":
			api.TracksTokens = a.yes(3)
		case "prediction_mode":
			api.Prediction = a.yes(3)
		case "training_started_at":
			api.TrainingStarted = a.date(3)
		case "training_duration":
			api.Training = parseDuration(a.text(3))
		default:
			a.Skip(3)
		}
	}
	return api
}

// surroundings says whether an object may be a node of ABS or of MongoDB, by the names of the
// members that enclose it.
type surroundings int

const (
	inNothing surroundings = iota
	inNodes
	inMongoDB
)

func (s surroundings) within(name string) surroundings {
	switch {
	case s == inMongoDB || strings.Contains(name, "mongo"):
		return inMongoDB
	case strings.Contains(name, "node") || strings.Contains(name, "cluster"):
		return inNodes
	}
	return s
}

// search looks for nodes and for the time zone in the value of a member, whose name is in lower
// case.
func (a *Reader) search(name string, depth int, in surroundings) {
	in = in.within(name)
	switch {
	case strings.HasPrefix(name, "ase"): // the logs of each ASE node
		a.Skip(depth)
	case a.Peek() == '{':
		if !a.TooDeep(depth) {
			a.node(name, depth, in)
		}
	case a.Peek() == '[':
		if a.TooDeep(depth) {
			return
		}
		for range a.Elements() {
			if a.Peek() != '{' {
				a.Skip(depth + 1)
			} else if !a.TooDeep(depth + 1) {
				a.node("", depth+1, in)
			}
		}
	case strings.Contains(name, "zone") && a.Peek() == '"':
		a.zone(name, depth)
	default:
		a.Skip(depth)
	}
}

// zone reads a text that may be the time zone. One whose member is named so comes before all others
// with zone in their names, then the outermost.
func (a *Reader) zone(name string, depth int) {
	const otherName = 1000 // more than any depth
	rank := depth
	switch name {
	case "timezone", "time_zone", "time-zone":
	default:
		rank += otherName
	}
	if zone := a.name(depth); zone != "" && (a.out.Timezone == "" || rank < a.zoneRank) {
		a.out.Timezone, a.zoneRank = zone, rank
	}
}

// nodeNames are the members that may name a node: an address before a name, whatever their order.
var nodeNames = []string{"node_ip", "ip", "ip_address", "log_ip", "host", "host_name", "hostname", "node"}

// node reads an object that may be a node or contain nodes. key is the name of the member whose
// value it is, or "".
func (a *Reader) node(key string, depth int, in surroundings) {
	n := Node{}
	var id, kind string
	var up *bool
	named := len(nodeNames) // the index of the member that has the name
	for member := range a.members() {
		switch name := strings.ToLower(string(member)); name {
		case "uuid", "id":
			id = a.name(depth + 1)
		case "os":
			n.OS = a.name(depth + 1)
		case "cpu", "cpus":
			n.CPUs = a.count(depth + 1)
		case "memory":
			n.Memory = parseSize(a.text(depth + 1))
		case "filesystem", "file_system":
			n.FilesystemUsed = parseShare(a.text(depth + 1))
		case "status", "state":
			up = parseUp(a.text(depth + 1))
		case "type", "node_type":
			kind = a.name(depth + 1)
		default:
			i := slices.Index(nodeNames, name)
			if i < 0 || a.Peek() == '{' || a.Peek() == '[' {
				a.search(name, depth+1, in)
			} else if text := a.name(depth + 1); text != "" && i < named {
				n.Name, named = text, i
			}
		}
	}
	isNode := n.CPUs != nil || n.Memory != nil || n.FilesystemUsed != nil
	for _, name := range []string{id, cut([]byte(key))} {
		if n.Name == "" {
			n.Name = name
		}
	}
	switch {
	case in == inMongoDB && up != nil:
		if n.Name == "" {
			n.Name = strconv.Itoa(len(a.out.MongoDB) + 1)
		}
		m := MongoDB{Name: n.Name, Type: kind, Up: *up}
		a.out.MongoDB = appendNode(a, a.out.MongoDB, m, func(b MongoDB) bool { return b.Name == m.Name })
	case in == inNodes && isNode:
		if n.Name == "" {
			n.Name = strconv.Itoa(len(a.out.Nodes) + 1)
		}
		a.out.Nodes = appendNode(a, a.out.Nodes, n, func(b Node) bool { return b.Name == n.Name })
	}
}

func appendNode[T any](a *Reader, nodes []T, n T, same func(T) bool) []T {
	switch {
	case slices.ContainsFunc(nodes, same):
		return nodes
	case len(nodes) == maxNodes:
		a.out.Omitted++
		return nodes
	}
	return append(nodes, n)
}

// isObject reports whether the next value is an object; anything else is skipped.
func (a *Reader) isObject(depth int) bool {
	if a.Peek() == '{' {
		return !a.TooDeep(depth)
	}
	a.Skip(depth)
	return false
}

// text reads a text, a number, true or false; "" stands for a value of another kind.
func (a *Reader) text(depth int) string {
	text, ok := a.Scalar(depth)
	if !ok {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// name is text for a name or a word that is shown, cut before the character that would not fit.
func (a *Reader) name(depth int) string {
	text, _ := a.Scalar(depth)
	return cut(bytes.TrimSpace(text))
}

func cut(text []byte) string { return string(bytes.ToValidUTF8(text[:min(len(text), maxName)], nil)) }

func (a *Reader) date(depth int) time.Time { return parseDate(a.text(depth), a.loc) }
func (a *Reader) count(depth int) *int64   { return parseCount(a.text(depth)) }
func (a *Reader) yes(depth int) *bool      { return parseBool(a.text(depth)) }
