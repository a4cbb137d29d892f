package abs

import "github.com/abs-exporter/abs-exporter/abs/jsonscan"

// maxKept bounds, in bytes, the buffers that one unusual row leaves allocated for the rows after
// it.
const maxKept = 1 << 20

// The kinds of counts of an entry of ip_list: indices of reportReader.sums.
const (
	sumIPs = iota
	sumDevices
	sumMethods
	sumURLs
	sumAPIs
)

// row reads one element of details of oauthtokens into r.current, or details.metrics of forensics,
// whose members may be missing (strict is false then). depth is the number of arrays and objects
// around it.
func (r *reportReader) row(depth int, strict bool) {
	const (
		token = iota
		totalRequests
		ipList
	)
	r.clearRow()
	start := r.StartOf()
	var seen seenMembers
	w := &r.current
	for key := range r.members() {
		switch string(key) {
		case "token":
			r.once(&seen, token, "token")
			w.Token = r.text()
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			w.Requests = r.Count()
		case "ip_list":
			r.once(&seen, ipList, "ip_list")
			r.ipList(depth + 1)
		default:
			r.Skip(depth + 1)
		}
	}
	switch {
	case r.Err() != nil || !strict:
	case seen&(1<<token) == 0:
		r.at = "token"
		r.Fail(start, "the row has no token")
	case len(w.Token) == 0:
		r.at = "token"
		r.Fail(start, "the row's token is empty")
	case seen&(1<<totalRequests) == 0:
		r.at = "total_requests"
		r.Fail(start, "the row has no total_requests")
	}
}

func (r *reportReader) ipList(depth int) {
	if r.Null() {
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
		devices
		methods
		urls
		apis
	)
	var (
		seen  seenMembers
		total Count
		w     = &r.current
	)
	for key := range r.members() {
		switch string(key) {
		case "ip":
			r.once(&seen, ip, "ip")
			if !r.Null() {
				total.Key = r.text()
			}
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			total.N = r.Count()
			r.sum(sumIPs, total.N)
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
			r.Skip(depth + 1)
		}
	}
	w.IPs = append(w.IPs, total)
}

// counts reads a map from names to counts and appends it to dst.
func (r *reportReader) counts(dst []Count, kind int) []Count {
	if r.Null() {
		return dst
	}
	for key, more := r.Open(); more; key, more = r.Next() {
		name := r.keep(key)
		n := r.Count()
		r.sum(kind, n)
		dst = append(dst, Count{Key: name, N: n})
	}
	return dst
}

// urls reads the map of paths. No series has a path, so the counts are only checked.
func (r *reportReader) urls() {
	if r.Null() {
		return
	}
	if !r.Is('{') {
		r.Expected("an object")
		return
	}
	if r.Is('}') {
		return
	}
	for r.Err() == nil {
		if r.Peek() != '"' {
			r.Expected("a member's name")
			return
		}
		r.SkipString()
		if r.Err() == nil && !r.Is(':') {
			r.Expected("a colon")
			return
		}
		r.sum(sumURLs, r.Count())
		switch {
		case r.Err() != nil:
			return
		case r.Is(','):
			continue
		case !r.Is('}'):
			r.Expected("a comma or the object's end")
		}
		return
	}
}

// sum adds n to the row's sum of one kind.
func (r *reportReader) sum(kind int, n int64) {
	if r.sums[kind] += n; r.sums[kind] > jsonscan.MaxCount {
		r.Fail(r.Offset(), "the counts of the row add up to more than 2^53")
	}
}

// text reads a string into the arena.
func (r *reportReader) text() []byte {
	if r.Peek() != '"' {
		r.Expected("a string")
		return nil
	}
	return r.keep(r.Str())
}

// keep copies a text into the arena.
func (r *reportReader) keep(text []byte) []byte {
	from := len(r.arena)
	r.arena = append(r.arena, text...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// clearRow empties current, with its texts and sums, for the next row.
func (r *reportReader) clearRow() {
	reuse := func(c []Count) []Count {
		if cap(c) > maxKept/32 {
			return nil
		}
		return c[:0]
	}
	w := &r.current
	*w = Row{IPs: reuse(w.IPs), Methods: reuse(w.Methods), APIs: reuse(w.APIs), Devices: reuse(w.Devices)}
	r.clearArena()
	r.sums = [5]int64{}
}

func (r *reportReader) clearArena() {
	if cap(r.arena) > maxKept {
		r.arena = nil
	}
	r.arena = r.arena[:0]
}
