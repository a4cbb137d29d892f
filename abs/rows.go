package abs

import (
	"strings"
)

// maxKept bounds what one unusual row leaves allocated for the rows behind it.
const maxKept = 1 << 20

// rowReader reads rows into one Row, over and over.
type rowReader struct {
	scanner
	rowOf Row
	// arena holds the texts of the row. When it grows, texts that are already in the row
	// stay where they are, so that they need not be moved.
	arena []byte
	sums  [5]int64 // a row's sums, so that nobody downstream overflows
}

// The maps of an entry of ip_list, as indices of rowReader.sums.
const (
	sumIPs = iota
	sumDevices
	sumMethods
	sumURLs
	sumAPIs
)

// keep copies a text into the arena.
func (r *rowReader) keep(text []byte) []byte {
	from := len(r.arena)
	r.arena = append(r.arena, text...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// clearRow readies the row for the next one.
func (r *rowReader) clearRow() {
	if cap(r.arena) > maxKept {
		r.arena = nil
	}
	again := func(c []Count) []Count {
		if cap(c) > maxKept/32 {
			return nil
		}
		return c[:0]
	}
	w := &r.rowOf
	*w = Row{IPs: again(w.IPs), Methods: again(w.Methods), APIs: again(w.APIs), Devices: again(w.Devices)}
	r.arena = r.arena[:0]
	r.sums = [5]int64{}
}

// members tells the members of one object that must not come twice: whoever sees a count
// twice cannot know which one is meant.
type members uint16

// once notes the member and fails if it was there before.
func (r *rowReader) once(m *members, bit int, at string) {
	r.at = at
	if *m&(1<<bit) != 0 {
		r.fail(r.offset(), "the member comes twice")
	}
	*m |= 1 << bit
}

// sum adds to the row's sum of one kind.
func (r *rowReader) sum(kind int, n int64) {
	if r.sums[kind] += n; r.sums[kind] > maxCount {
		r.fail(r.offset(), "the counts of the row add up to more than 2^53")
	}
}

// row reads one element of details, or details.metrics of forensics, whose members may be
// missing (strict is false then). depth is how many arrays and objects it stands in.
func (r *rowReader) row(depth int, strict bool) {
	const (
		token = iota
		totalRequests
		ipList
	)
	r.clearRow()
	start := r.startOf()
	var seen members
	w := &r.rowOf
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "token":
			r.once(&seen, token, "token")
			w.Token = r.text()
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			w.Requests = r.count()
		case "ip_list":
			r.once(&seen, ipList, "ip_list")
			r.ipList(depth + 1)
		default:
			r.skip(depth + 1)
		}
		if r.err != nil {
			return
		}
		r.at = ""
	}
	switch {
	case r.err != nil || !strict:
	case seen&(1<<token) == 0:
		r.at = "token"
		r.fail(start, "the row has no token")
	case len(w.Token) == 0:
		r.at = "token"
		r.fail(start, "the row's token is empty")
	case seen&(1<<totalRequests) == 0:
		r.at = "total_requests"
		r.fail(start, "the row has no total_requests")
	}
}

// startOf is the offset of the value that comes next.
func (s *scanner) startOf() int64 {
	s.peek()
	return s.offset()
}

// text reads a string into the arena.
func (r *rowReader) text() []byte {
	if r.err != nil {
		return nil
	}
	if r.peek() != '"' {
		r.expected("a string")
		return nil
	}
	return r.keep(r.str())
}

func (r *rowReader) ipList(depth int) {
	if r.err != nil || r.null() {
		return
	}
	for more := r.openArray(); more; more = r.nextElement() {
		r.ipAt++
		r.at = ""
		r.address(depth + 1)
		if r.err != nil {
			return
		}
		r.at = ""
	}
	if r.err == nil {
		r.ipAt = -1
	}
}

// address reads one element of ip_list.
func (r *rowReader) address(depth int) {
	const (
		ip = iota
		totalRequests
		devices
		methods
		urls
		apis
	)
	var (
		seen members
		who  Count
		w    = &r.rowOf
	)
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "ip":
			r.once(&seen, ip, "ip")
			if !r.null() {
				who.Key = r.text()
			}
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			who.N = r.count()
			r.sum(sumIPs, who.N)
		case "devices":
			r.once(&seen, devices, "devices")
			w.Devices = r.counts(w.Devices, sumDevices)
		case "methods":
			r.once(&seen, methods, "methods")
			w.Methods = r.counts(w.Methods, sumMethods)
		case "urls":
			r.once(&seen, urls, "urls")
			r.urls()
		case "apis":
			r.once(&seen, apis, "apis")
			w.APIs = r.counts(w.APIs, sumAPIs)
		default:
			r.skip(depth + 1)
		}
		if r.err != nil {
			return
		}
		r.at = ""
	}
	if r.err == nil {
		w.IPs = append(w.IPs, who)
	}
}

// counts reads a map from names to counts.
func (r *rowReader) counts(dst []Count, kind int) []Count {
	if r.err != nil || r.null() {
		return dst
	}
	for key, more := r.open(); more; key, more = r.next() {
		name := r.keep(key)
		n := r.count()
		r.sum(kind, n)
		dst = append(dst, Count{Key: name, N: n})
	}
	return dst
}

// urls reads the map of paths. No series has a path, so that only the counts are looked at.
func (r *rowReader) urls() {
	if r.err != nil || r.null() {
		return
	}
	if !r.is('{') {
		r.expected("an object")
		return
	}
	if r.is('}') {
		return
	}
	for r.err == nil {
		if r.peek() != '"' {
			r.expected("a member's name")
			return
		}
		r.skipString()
		if r.err == nil && !r.is(':') {
			r.expected("a colon")
			return
		}
		r.sum(sumURLs, r.count())
		switch {
		case r.err != nil:
			return
		case r.is(','):
			continue
		case !r.is('}'):
			r.expected("a comma or the object's end")
		}
		return
	}
}

// checkName holds the report's name against the one that was asked for.
func (r *rowReader) checkName(want string) {
	if r.err != nil {
		return
	}
	at := r.startOf()
	if r.peek() != '"' {
		r.expected("a string")
		return
	}
	got := string(r.str())
	if r.err != nil || got == want {
		return
	}
	detail := "this is another report than " + want
	if isOtherReport(got) {
		detail = "this is the report " + got + ", not " + want
	}
	r.fail(at, detail)
}

// isOtherReport says whether ABS is known to use a name. No other is repeated in an error:
// anything else is data.
func isOtherReport(name string) bool {
	return name != "" && !strings.Contains(name, " ") && strings.Contains(otherReports, " "+name+" ")
}

const otherReports = " oauth_token_metrics api_abs_token api_key_metrics username_metrics api_abs_api_key" +
	" api_abs_username api_abs_cookie api_abs_ip api_metrics api_admin api_attack_type api_anomalies api_anomaly_type" +
	" api_blockedconnections api_flowcontrol api_backend_errors api_discovery_summary "

// document checks how the body begins, so that an error page is called one.
func (r *rowReader) document() bool {
	switch c := r.peek(); {
	case c == '{':
		return true
	case c == '<':
		r.fail(r.offset(), "the answer is a web page (HTML or XML), not a report")
	case c == '[':
		r.fail(r.offset(), "the answer is an array, not a report")
	case r.pos == r.end:
		r.ended()
	default:
		r.fail(r.offset(), "the answer is not JSON")
	}
	return false
}

// unnamed is the failure of a whole document that does not say which report it is.
func (r *rowReader) unnamed(message bool) {
	r.section, r.rowAt, r.ipAt, r.at = "", -1, -1, ""
	if message {
		// The text is not repeated: it may echo the token.
		r.fail(r.offset(), "ABS answered with a message instead of a report")
		return
	}
	r.at = "name"
	r.fail(r.offset(), "the answer does not say which report it is")
}

// release lets go of what belongs to the last body.
func (r *rowReader) release() {
	r.clearRow()
	r.reset(nil, 0, "")
	if cap(r.scratch) > maxKept/8 {
		r.scratch = nil
	}
}
