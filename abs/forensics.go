package abs

import (
	"io"
	"time"
)

const nameForensics = "api_abs_token"

// readForensics reads the report about one token; limit, loc and the error are as in
// readTokens. Members that ABS leaves out are zero: nothing is counted by them.
func (r *rowReader) readForensics(body io.Reader, limit int64, loc *time.Location) (Forensics, error) {
	const (
		name = iota
		earlier
		later
		summary
		details
	)
	r.reset(body, limit, ReportForensics)
	var (
		f       Forensics
		seen    members
		message bool
	)
	if !r.document() {
		return Forensics{Bytes: r.read()}, r.err
	}
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "name":
			r.once(&seen, name, "name")
			r.checkName(nameForensics)
		case "earlier_date":
			r.once(&seen, earlier, "earlier_date")
			f.Earlier = r.date(loc)
		case "later_date":
			r.once(&seen, later, "later_date")
			f.Later = r.date(loc)
		case "summary":
			r.once(&seen, summary, "summary")
			r.forensicsSummary(&f)
		case "details":
			r.once(&seen, details, "details")
			r.forensicsDetails(&f)
		case "message":
			message = true
			r.skip(1)
		default:
			r.skip(1)
		}
		if r.err != nil {
			break
		}
		r.at = ""
	}
	r.finish()
	if r.err == nil && seen&(1<<name) == 0 {
		r.unnamed(message)
	}
	f.Bytes = r.read()
	if r.err != nil {
		return Forensics{Bytes: f.Bytes}, r.err
	}
	return f, nil
}

func (r *rowReader) forensicsSummary(f *Forensics) {
	const (
		totalRequests = iota
		totalAttacks
		totalAnomalies
		all = 1<<totalRequests | 1<<totalAttacks | 1<<totalAnomalies
	)
	if r.err != nil || r.null() {
		return
	}
	r.section, r.at = "summary", ""
	var seen members
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "total_requests":
			r.once(&seen, totalRequests, "total_requests")
			f.Requests = r.count()
		case "total_attacks":
			r.once(&seen, totalAttacks, "total_attacks")
			f.Attacks = r.count()
		case "total_anomalies":
			r.once(&seen, totalAnomalies, "total_anomalies")
			f.Anomalies = r.count()
		default:
			r.skip(2)
		}
		if r.err != nil {
			return
		}
		r.at = ""
	}
	if r.err == nil {
		f.HasSummary = seen == all
		r.section = ""
	}
}

func (r *rowReader) forensicsDetails(f *Forensics) {
	const (
		metrics = iota
		attackTypes
		anomalyTypes
	)
	if r.err != nil || r.null() {
		return
	}
	r.section, r.at = "details", ""
	var seen members
	for key, more := r.open(); more; key, more = r.next() {
		switch string(key) {
		case "metrics":
			r.once(&seen, metrics, "metrics")
			r.forensicsMetrics(f)
		case "attack_types":
			r.once(&seen, attackTypes, "attack_types")
			f.AttackTypes = r.findings()
		case "anomaly_types":
			r.once(&seen, anomalyTypes, "anomaly_types")
			f.AnomalyTypes = r.findings()
		default:
			r.skip(2)
		}
		if r.err != nil {
			return
		}
		r.at = ""
	}
	if r.err == nil {
		r.section = ""
	}
}

func (r *rowReader) forensicsMetrics(f *Forensics) {
	if r.err != nil || r.null() {
		return
	}
	r.metrics, r.at = true, ""
	r.row(2, false)
	if r.err != nil {
		return
	}
	r.metrics = false
	// The row goes to the caller for good, and the texts of the arena with it.
	f.Metrics, r.rowOf, r.arena = r.rowOf, Row{}, nil
}

// findings reads attack_types or anomaly_types: an object from the type's name to an array
// of APIs, one API, or null; or [] or null where there are none. A type that comes twice is
// one, and so is an API of a type.
func (r *rowReader) findings() []Finding {
	if r.err != nil || r.null() {
		return nil
	}
	if r.peek() == '[' {
		if r.openArray() {
			r.fail(r.startOf(), "attack types as an array without APIs are not known")
		}
		return nil
	}
	var (
		all   []Finding
		index map[string]int         // of all, by type
		known map[[2]string]struct{} // type and API
	)
	for key, more := r.open(); more; key, more = r.next() {
		name := string(key)
		i, ok := index[name]
		if !ok {
			if index == nil {
				index, known = map[string]int{}, map[[2]string]struct{}{}
			}
			i = len(all)
			index[name] = i
			all = append(all, Finding{Type: name})
		}
		add := func() {
			if r.peek() != '"' {
				r.expected("an API's name")
				return
			}
			api := string(r.str())
			if _, ok := known[[2]string{name, api}]; ok || r.err != nil {
				return
			}
			known[[2]string{name, api}] = struct{}{}
			all[i].APIs = append(all[i].APIs, api)
		}
		switch {
		case r.null():
		case r.peek() == '[':
			for more := r.openArray(); more; more = r.nextElement() {
				add()
			}
		default:
			add()
		}
	}
	return all
}
