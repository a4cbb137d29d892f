package abs

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
	start := r.startOf()
	var seen seenMembers
	w := &r.current
	for key := range r.members() {
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

func (r *reportReader) ipList(depth int) {
	if r.null() {
		return
	}
	for range r.elements() {
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
			if !r.null() {
				total.Key = r.text()
			}
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			total.N = r.count()
			r.sum(sumIPs, total.N)
		case "devices":
			r.once(&seen, devices, "devices")
			w.Devices = r.counts(w.Devices, sumDevices)
		case "methods":
			r.once(&seen, methods, "methods")
			w.Methods = r.counts(w.Methods, sumMethods)
		case "urls":
			r.once(&seen, urls, "urls")
			if r.keepURLs {
				w.URLs = r.counts(w.URLs, sumURLs)
			} else {
				r.urls()
			}
		case "apis":
			r.once(&seen, apis, "apis")
			w.APIs = r.counts(w.APIs, sumAPIs)
		default:
			r.skip(depth + 1)
		}
	}
	w.IPs = append(w.IPs, total)
}

// counts reads a map from names to counts and appends it to dst.
func (r *reportReader) counts(dst []Count, kind int) []Count {
	if r.null() {
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

// urls reads the map of paths where they are not kept: the counts are only checked.
func (r *reportReader) urls() {
	if r.null() {
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

// sum adds n to the row's sum of one kind.
func (r *reportReader) sum(kind int, n int64) {
	if r.sums[kind] += n; r.sums[kind] > maxCount {
		r.fail(r.offset(), "the counts of the row add up to more than 2^53")
	}
}

// text reads a string into the arena.
func (r *reportReader) text() []byte {
	if r.peek() != '"' {
		r.expected("a string")
		return nil
	}
	return r.keep(r.str())
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
	*w = Row{IPs: reuse(w.IPs), Methods: reuse(w.Methods), APIs: reuse(w.APIs), Devices: reuse(w.Devices), URLs: reuse(w.URLs)}
	r.clearArena()
	r.sums = [5]int64{}
}

func (r *reportReader) clearArena() {
	if cap(r.arena) > maxKept {
		r.arena = nil
	}
	r.arena = r.arena[:0]
}
