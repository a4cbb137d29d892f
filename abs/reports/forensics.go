package reports

import (
	"io"
	"time"
)

const nameForensics = "api_abs_token"

// readForensics reads the report about one token; limit, loc and the error are as in readTokens.
// Members that ABS leaves out are zero: nothing is counted by them.
func (r *reportReader) readForensics(body io.Reader, limit int64, loc *time.Location) (Forensics, error) {
	r.reset(body, limit, KindForensics)
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
		f, r.Oddities = Forensics{}, Oddities{}
	}
	f.Oddities = r.Oddities
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
	whole := r.row(2, false)
	r.metrics = false
	if !whole {
		r.skipRow()
		r.clearRow()
		return
	}
	f.Metrics = r.takeRow()
}

// Bounds of attack_types and of anomaly_types, whatever ABS sends. Past them the API of a finding
// is Other, so that no flood of APIs hides a type; a type past maxTypes is Other, too.
const (
	maxTypes       = 1000
	maxPairs       = 4000 // of a type and an API
	maxFindingText = 1 << 20
)

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
	l := findingList{index: map[string]int{}, known: map[pair]struct{}{}}
	for key, more := r.Open(); more; key, more = r.Next() {
		i := l.typeOf(key)
		add := func() {
			if r.Peek() != '"' {
				r.Expected("an API's name")
				return
			}
			if api := r.Str(); r.Err() == nil {
				l.add(i, api)
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
	return l.all
}

type pair struct {
	i   int // of findingList.all
	api string
}

// findingList gathers findings within the bounds.
type findingList struct {
	all   []Finding
	index map[string]int // of all, by type
	known map[pair]struct{}
	text  int // bytes
}

// typeOf returns the index of a type.
func (l *findingList) typeOf(name []byte) int {
	if i, ok := l.index[string(name)]; ok {
		return i
	}
	if len(l.all) >= maxTypes || l.text+len(name) > maxFindingText {
		if i, ok := l.index[Other]; ok {
			return i
		}
		name = []byte(Other)
	}
	f := Finding{Type: string(name)}
	l.text += len(name)
	l.index[f.Type] = len(l.all)
	l.all = append(l.all, f)
	return len(l.all) - 1
}

// add adds an API to the type at i.
func (l *findingList) add(i int, api []byte) {
	if _, ok := l.known[pair{i, string(api)}]; ok {
		return
	}
	if len(l.known) >= maxPairs || l.text+len(api) > maxFindingText || l.all[i].Type == Other {
		api = []byte(Other)
		if _, ok := l.known[pair{i, Other}]; ok {
			return
		}
	}
	p := pair{i, string(api)}
	l.text += len(api)
	l.known[p] = struct{}{}
	l.all[i].APIs = append(l.all[i].APIs, p.api)
}
