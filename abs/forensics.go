package abs

import (
	"io"
	"time"
)

const nameForensics = "api_abs_token"

// readForensics reads the report about one token; limit, loc and the error are as in readTokens.
// Members that ABS leaves out are zero: nothing is counted by them.
func (r *reportReader) readForensics(body io.Reader, limit int64, loc *time.Location) (Forensics, error) {
	r.reset(body, limit, ReportForensics)
	var f Forensics
	f.Earlier, f.Later = r.document(
		nameForensics, loc,
		func() {
			f.HasSummary = r.summary(
				summaryCount{"total_requests", &f.Requests},
				summaryCount{"total_attacks", &f.Attacks},
				summaryCount{"total_anomalies", &f.Anomalies},
			)
		},
		func() { r.forensicsDetails(&f) },
	)
	if r.Err() != nil {
		f = Forensics{}
	}
	f.Bytes = r.Read()
	return f, r.Err()
}

func (r *reportReader) forensicsDetails(f *Forensics) {
	const (
		metrics = iota
		attackTypes
		anomalyTypes
	)
	var seen seenMembers
	for key := range r.members() {
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
			r.Skip(2)
		}
	}
}

func (r *reportReader) forensicsMetrics(f *Forensics) {
	if r.Null() {
		return
	}
	r.metrics, r.at = true, ""
	r.row(2, false)
	r.metrics = false
	// The caller keeps the row, and the texts of the arena with it.
	f.Metrics, r.current, r.arena = r.current, Row{}, nil
}

// findings reads attack_types or anomaly_types: an object from the type's name to an array of APIs,
// one API, or null; or [] or null where there are none. A type that occurs twice is one, and so is
// an API of a type.
func (r *reportReader) findings() []Finding {
	if r.Null() {
		return nil
	}
	if r.Peek() == '[' {
		if r.OpenArray() {
			r.Fail(r.StartOf(), "attack types as an array without APIs are not known")
		}
		return nil
	}
	type pair struct{ name, api string }
	var (
		all   []Finding
		index = map[string]int{} // of all, by type
		known = map[pair]bool{}
	)
	for key, more := r.Open(); more; key, more = r.Next() {
		name := string(key)
		i, ok := index[name]
		if !ok {
			i = len(all)
			index[name] = i
			all = append(all, Finding{Type: name})
		}
		add := func() {
			if r.Peek() != '"' {
				r.Expected("an API's name")
				return
			}
			if p := (pair{name, string(r.Str())}); r.Err() == nil && !known[p] {
				known[p] = true
				all[i].APIs = append(all[i].APIs, p.api)
			}
		}
		switch {
		case r.Null():
		case r.Peek() == '[':
			for range r.Elements() {
				add()
			}
		default:
			add()
		}
	}
	return all
}
