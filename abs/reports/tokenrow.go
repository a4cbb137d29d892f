package reports

import (
	"net/netip"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// rowReader is what a reportReader needs for rows.
type rowReader struct {
	current Row // the row being read, reused for the next
	names   [dimensions]names
	// arena holds the texts of current. Texts that are already in the row stay where they are when
	// the arena grows, so they need not be moved.
	arena  []byte
	sorted []busyName // space to fold names

	// What is wrong with current: the first fault, and what the skipped rows are counted by.
	fault    *Fault
	reason   SkipReason
	hasCount bool
}

// The lists of counts of a row: indices of rowReader.names.
const (
	ips = iota
	devices
	methods
	apis
	urls // only with nameURL
	dimensions
)

// faulty notes what is wrong with the row that is being read: it will be left out. Only the first
// fault counts.
func (r *reportReader) faulty(offset int64, reason SkipReason, detail string) {
	if r.fault == nil {
		r.reason = reason
		r.fault = &Fault{Report: r.report, Field: r.path(), Offset: offset, Detail: detail}
	}
}

// wrongShape consumes a value that is not what was expected in a row.
func (r *reportReader) wrongShape(depth int, reason SkipReason, want string) {
	at := r.StartOf()
	if r.AtEnd() {
		r.Ended()
		return
	}
	r.faulty(at, reason, want+" expected")
	r.Skip(depth)
}

// onceInRow is once for a member of a row.
func (r *reportReader) onceInRow(seen *seenMembers, bit int, name string) {
	r.at = name
	if *seen&(1<<bit) != 0 {
		r.faulty(r.Offset(), SkipShape, "the member comes twice")
	}
	*seen |= 1 << bit
}

// row reads one element of details of oauthtokens into r.current, or details.metrics of forensics,
// whose members may be missing (strict is false then). depth is the number of arrays and objects
// around it. It returns false if the row is to be left out, or the reader has failed.
func (r *reportReader) row(depth int, strict bool) (whole bool) {
	const (
		token = iota
		totalRequests
		ipList
	)
	r.clearRow()
	if r.Peek() != '{' {
		r.wrongShape(depth, SkipShape, "an object")
		return false
	}
	start := r.Offset()
	var seen seenMembers
	w := &r.current
	for key := range r.members() {
		switch string(key) {
		case "token":
			r.onceInRow(&seen, token, "token")
			w.Token = r.text(depth+1, SkipToken)
		case "total_requests":
			r.onceInRow(&seen, totalRequests, "total_requests")
			w.Requests, r.hasCount = r.rowCount(depth + 1)
		case "ip_list":
			r.onceInRow(&seen, ipList, "ip_list")
			r.ipList(depth + 1)
		default:
			r.Skip(depth + 1)
		}
	}
	if strict && r.Err() == nil {
		switch {
		case seen&(1<<token) == 0:
			r.at = "token"
			r.faulty(start, SkipToken, "the row has no token")
		case len(w.Token) == 0:
			r.at = "token"
			r.faulty(start, SkipToken, "the row's token is empty")
		case seen&(1<<totalRequests) == 0:
			r.at = "total_requests"
			r.faulty(start, SkipCount, "the row has no total_requests")
		}
		r.at = ""
	}
	if r.fault != nil || r.Err() != nil {
		return false
	}
	r.nameURLs(w.Token)
	w.IPs, w.Devices = r.names[ips].take(), r.names[devices].take()
	w.Methods, w.APIs = r.names[methods].take(), r.names[apis].take()
	w.URLs = r.names[urls].take()
	return true
}

// skipRow counts the row that was just read as left out.
func (r *reportReader) skipRow() {
	s := &r.Skipped
	if r.Err() != nil {
		return
	}
	switch r.reason {
	case SkipToken:
		s.Token++
	case SkipCount:
		s.Count++
	case SkipShape:
		s.Shape++
	}
	if s.First == nil {
		s.First = r.fault
	}
	if len(r.current.Token) > 0 || !r.hasCount {
		s.Unknown++
	}
	if sum := s.Requests + r.current.Requests; r.hasCount && sum <= jsonscan.MaxCount {
		s.Requests = sum
	}
}

func (r *reportReader) ipList(depth int) {
	if r.Null() {
		return
	}
	if r.Peek() != '[' {
		r.wrongShape(depth, SkipShape, "an array")
		return
	}
	for range r.Elements() {
		r.ipAt++
		r.at = ""
		r.ipEntry(depth + 1)
	}
	r.ipAt = -1
}

// ipEntry reads one element of ip_list.
func (r *reportReader) ipEntry(depth int) {
	const (
		ip = iota
		totalRequests
		deviceMap
		methodMap
		apiMap
		urlMap
	)
	if r.Peek() != '{' {
		r.wrongShape(depth, SkipShape, "an object")
		return
	}
	var (
		seen  seenMembers
		total Count
	)
	var before [dimensions]names
	if r.onlyIP.IsValid() {
		for i := range r.names {
			before[i] = r.names[i].clone()
		}
	}
	for key := range r.members() {
		switch string(key) {
		case "ip":
			r.onceInRow(&seen, ip, "ip")
			if !r.Null() {
				total.Key = r.text(depth+1, SkipShape)
			}
		case "total_requests":
			r.onceInRow(&seen, totalRequests, "total_requests")
			total.N, _ = r.rowCount(depth + 1)
		case "devices":
			r.onceInRow(&seen, deviceMap, "devices")
			r.counts(depth+1, devices)
		case "methods":
			r.onceInRow(&seen, methodMap, "methods")
			r.counts(depth+1, methods)
		case "apis":
			r.onceInRow(&seen, apiMap, "apis")
			r.counts(depth+1, apis)
		case "urls":
			if r.nameURL != nil {
				r.onceInRow(&seen, urlMap, "urls")
				r.counts(depth+1, urls)
				continue
			}
			r.at = "urls"
			r.Skip(depth + 1)
		default:
			r.Skip(depth + 1)
		}
	}
	if r.onlyIP.IsValid() && !isAddress(total.Key, r.onlyIP) {
		for i := range r.names {
			r.names[i].restore(&before[i])
		}
		return
	}
	if len(total.Key) > 0 || total.N > 0 {
		r.add(ips, total)
	}
}

// nameURLs gives the URLs of the row their names.
func (r *reportReader) nameURLs(token []byte) {
	l := &r.names[urls]
	for i := range l.counts {
		from := len(r.arena)
		r.arena = r.nameURL(r.arena, l.counts[i].Key, token)
		l.counts[i].Key = r.arena[from:len(r.arena):len(r.arena)]
	}
}

// isAddress reports whether a text is an address, in any of its spellings.
func isAddress(text []byte, ip netip.Addr) bool {
	is, err := netip.ParseAddr(string(text))
	return err == nil && is.Unmap() == ip.Unmap()
}

// counts reads a map from names to counts.
func (r *reportReader) counts(depth, dimension int) {
	if r.Null() {
		return
	}
	if r.Peek() != '{' {
		r.wrongShape(depth, SkipShape, "an object")
		return
	}
	for key, more := r.Open(); more; key, more = r.Next() {
		name := r.keep(key)
		n, _ := r.rowCount(depth + 1)
		r.add(dimension, Count{Key: name, N: n})
	}
}

// add adds a count to the row.
func (r *reportReader) add(dimension int, c Count) {
	l := &r.names[dimension]
	if l.sum += c.N; l.sum > jsonscan.MaxCount {
		r.faulty(r.Offset(), SkipCount, "the counts of the row add up to more than 2^53")
		l.sum = 0 // so that it cannot overflow
	}
	l.counts = append(l.counts, c)
	if len(l.counts) >= maxNames {
		if dimension == urls { // many URLs have one name
			r.nameURLs(nil)
		}
		r.sorted = l.fold(r.sorted)
	}
	if len(r.arena) > maxRowText {
		r.foldTexts()
	}
}

// rowCount reads a count of a row.
func (r *reportReader) rowCount(depth int) (n int64, ok bool) {
	at := r.StartOf()
	n, problem := r.Count(depth)
	if problem != "" {
		r.faulty(at, SkipCount, problem)
		return 0, false
	}
	return n, true
}

// text reads a string of a row into the arena.
func (r *reportReader) text(depth int, reason SkipReason) []byte {
	if r.Peek() != '"' {
		r.wrongShape(depth, reason, "a string")
		return nil
	}
	at := r.Offset()
	text, cut := r.Text()
	if cut {
		r.faulty(at, reason, "a string is longer than 1 MiB")
	}
	return r.keep(text)
}

// keep copies a text into the arena.
func (r *reportReader) keep(text []byte) []byte {
	from := len(r.arena)
	r.arena = append(r.arena, text...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// foldTexts folds all names of the row, and moves the texts of those that remain to a new arena.
func (r *reportReader) foldTexts() {
	r.nameURLs(nil)
	r.arena = nil
	r.current.Token = r.keep(r.current.Token)
	for i := range r.names {
		l := &r.names[i]
		r.sorted = l.fold(r.sorted)
		for k := range l.counts {
			l.counts[k].Key = r.keep(l.counts[k].Key)
		}
	}
}

// takeRow returns current, which is not reused then.
func (r *reportReader) takeRow() Row {
	row := r.current
	r.rowReader = rowReader{}
	return row
}

// clearRow empties current, with its texts and sums, for the next row.
func (r *reportReader) clearRow() {
	r.current = Row{}
	for i := range r.names {
		r.names[i].clear()
	}
	r.clearArena()
	r.fault, r.reason, r.hasCount = nil, "", false
}

func (r *reportReader) clearArena() {
	if cap(r.arena) > maxKept {
		r.arena = nil
	}
	r.arena = r.arena[:0]
}

// releaseRow drops what an unusual row made large.
func (r *reportReader) releaseRow() {
	r.clearRow()
	r.sorted = nil
	for i := range r.names {
		if cap(r.names[i].counts) > maxNames/16 {
			r.names[i] = names{}
		}
	}
	if cap(r.arena) > maxKept/8 {
		r.arena = nil
	}
}
