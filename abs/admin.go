package abs

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	nameAdmin = "api_admin"

	// The admin report is small: what is kept of one has bounds, and a longer body is refused. The
	// published one has less than 1 kB for each API.
	maxAdminBody  = 16 << 20
	maxAdminAPIs  = 1000
	maxAdminNodes = 100 // of ABS, and as many of MongoDB
)

// adminReader reads one admin report. ABS's pages show its licence and its APIs; of its nodes and
// its time zone they say only that they are there. So those are looked for by the names of their
// members, at any depth. Nothing in the report is counted, so a value that cannot be understood is
// absent, and refuses nothing.
type adminReader struct {
	*reportReader
	loc *time.Location // of dates that name no known zone
	out AdminReport

	known     bool // a member of such reports was seen
	zoneDepth int  // of the member that has the time zone
}

// readAdmin reads the admin report; limit and the error are as in readTokens.
func (r *reportReader) readAdmin(body io.Reader, limit int64, loc *time.Location) (AdminReport, error) {
	r.reset(body, min(limit, maxAdminBody), ReportAdmin)
	a := &adminReader{reportReader: r, loc: loc}
	message := false
	if a.beginsObject() {
		for key := range a.members() {
			switch name := string(key); name {
			case "name":
				a.known, a.at = true, "name"
				a.checkName(nameAdmin)
			case "message":
				message = true
				a.Skip(1)
			case "license_info":
				a.known = true
				a.license()
			case "across_api_prediction_mode":
				a.known, a.out.AcrossAPIs = true, a.yes(1)
			case "apis":
				a.known = true
				a.apis()
			default:
				a.search(strings.ToLower(name), 1, inNothing)
			}
		}
		a.Finish()
	}
	switch {
	case a.known:
	case message:
		a.failMessage()
	default:
		a.Fail(a.Offset(), "nothing in the answer belongs to "+nameAdmin)
	}
	if r.Err() != nil {
		a.out = AdminReport{}
	}
	if e := (*Error)(nil); errors.As(r.Err(), &e) && e.Reason == ReasonSize && e.Offset == maxAdminBody {
		e.detail = "the body is longer than an admin report can be"
	}
	a.out.Bytes = r.Read()
	return a.out, r.Err()
}

func (a *adminReader) license() {
	l := &a.out.License
	if !a.isObject(1) {
		return
	}
	for key := range a.members() {
		switch string(key) {
		case "tier":
			l.Tier = a.text(2)
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

func (a *adminReader) apis() {
	if a.Peek() != '[' {
		a.Skip(1)
		return
	}
	for range a.Elements() {
		if !a.isObject(2) {
			continue
		}
		api := a.api()
		switch {
		case api.Name == "" || slices.ContainsFunc(a.out.APIs, func(b AdminAPI) bool { return b.Name == api.Name }):
		case len(a.out.APIs) == maxAdminAPIs:
			a.out.Omitted++
		default:
			a.out.APIs = append(a.out.APIs, api)
		}
	}
}

func (a *adminReader) api() (api AdminAPI) {
	for key := range a.members() {
		switch string(key) {
		case "api_name":
			api.Name = a.text(3)
		case "api_type":
			api.Type = a.text(3)
		case "token":
			api.TracksTokens = a.yes(3)
		case "prediction_mode":
			api.Prediction = a.yes(3)
		case "training_started_at":
			api.TrainingStarted = a.date(3)
		case "training_duration":
			api.Training = parseAdminDuration(a.text(3))
		default:
			a.Skip(3)
		}
	}
	return api
}

// surroundings are what a node may be one of, by the names of the members around it.
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
func (a *adminReader) search(name string, depth int, in surroundings) {
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
	case strings.Contains(name, "zone"):
		if zone := a.text(depth); zone != "" && (a.out.Timezone == "" || depth < a.zoneDepth) {
			a.out.Timezone, a.zoneDepth = zone, depth
		}
	default:
		a.Skip(depth)
	}
}

// node reads an object that may be a node or hold some. key is the name of the member that it is
// the value of, or "".
func (a *adminReader) node(key string, depth int, in surroundings) {
	n := AdminNode{}
	var id, kind string
	var up *bool
	for member := range a.members() {
		switch name := strings.ToLower(string(member)); name {
		case "node_ip", "ip", "ip_address", "log_ip", "host", "host_name", "hostname", "node":
			n.Name = a.text(depth + 1)
		case "uuid", "id":
			id = a.text(depth + 1)
		case "os":
			n.OS = a.text(depth + 1)
		case "cpu", "cpus":
			n.CPUs = a.count(depth + 1)
		case "memory":
			n.Memory = parseAdminSize(a.text(depth + 1))
		case "filesystem", "file_system":
			n.FilesystemUsed = parseAdminShare(a.text(depth + 1))
		case "status", "state":
			up = parseAdminUp(a.text(depth + 1))
		case "type", "node_type":
			kind = a.text(depth + 1)
		default:
			a.search(name, depth+1, in)
		}
	}
	isNode := n.CPUs != nil || n.Memory != nil || n.FilesystemUsed != nil
	for _, name := range []string{id, key} {
		if n.Name == "" {
			n.Name = name
		}
	}
	switch {
	case in == inMongoDB && up != nil:
		if n.Name == "" {
			n.Name = strconv.Itoa(len(a.out.MongoDB) + 1)
		}
		m := AdminMongoDB{Name: n.Name, Type: kind, Up: *up}
		a.out.MongoDB = appendNode(a, a.out.MongoDB, m, func(b AdminMongoDB) bool { return b.Name == m.Name })
	case in == inNodes && isNode:
		if n.Name == "" {
			n.Name = strconv.Itoa(len(a.out.Nodes) + 1)
		}
		a.out.Nodes = appendNode(a, a.out.Nodes, n, func(b AdminNode) bool { return b.Name == n.Name })
	}
}

func appendNode[T any](a *adminReader, nodes []T, n T, same func(T) bool) []T {
	switch {
	case slices.ContainsFunc(nodes, same):
		return nodes
	case len(nodes) == maxAdminNodes:
		a.out.Omitted++
		return nodes
	}
	return append(nodes, n)
}

// isObject reports whether the next value is an object; anything else is skipped.
func (a *adminReader) isObject(depth int) bool {
	if a.Peek() == '{' {
		return !a.TooDeep(depth)
	}
	a.Skip(depth)
	return false
}

// text reads a text, a number, true or false; "" stands for a value of another kind.
func (a *adminReader) text(depth int) string {
	text, ok := a.Scalar(depth)
	if !ok {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (a *adminReader) date(depth int) time.Time { return parseAdminDate(a.text(depth), a.loc) }
func (a *adminReader) count(depth int) *int64   { return parseAdminCount(a.text(depth)) }
func (a *adminReader) yes(depth int) *bool      { return parseAdminBool(a.text(depth)) }
