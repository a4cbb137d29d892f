package findings

import (
	"cmp"
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
)

// acrossAPIs is ABS's own word, in place of an API, for an attack that no single API saw.
const acrossAPIs = "all"

// Finding is an attack or anomaly type on an API.
type Finding struct {
	Anomaly bool
	Type    string // in the spelling that ABS used first
	API     string // "" where ABS names none
}

func compareFindings(a, b Finding) int {
	return cmp.Or(compareBool(a.Anomaly, b.Anomaly), cmp.Compare(a.Type, b.Type), cmp.Compare(a.API, b.API))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// sightings is what the two sources last reported of one finding of a token. Each source ends its
// own: the finding is active while one of them has it. Two answers in a row that lack it end it,
// since the nodes of an ABS may disagree for a while. The fields are exported for the state.
type sightings struct {
	Finding
	Began time.Time // when it became active; zero while it is not

	// Forensics is when a forensics report last had the finding; zero: it is not forensics that has
	// it.
	Forensics time.Time
	Lacked    int       // forensics reports in a row without it, since either source had it
	LackedIn  time.Time // the end of the window of the last of them

	// Reported is when an attack report last had it; zero: it is not an attack report that has it.
	Reported   time.Time
	Missing    int       // attack reports in a row without it
	LastAccess time.Time // the newest access time of the entry
	// Refuted: forensics lacked the finding twice, so that the entry as it is does not make it active.
	Refuted bool
}

const endsAfter = 2 // answers in a row

func (s *sightings) active() bool {
	return !s.Forensics.IsZero() || !s.Reported.IsZero() && !s.Refuted
}

// kept reports whether there is anything to remember.
func (s *sightings) kept() bool { return !s.Forensics.IsZero() || !s.Reported.IsZero() }

// inForensics records a forensics report that has the finding.
func (s *sightings) inForensics(at time.Time) { s.Forensics, s.Lacked = at, 0 }

// lackedByForensics records a forensics report without the finding. Those of one cycle, which end
// at the same minute, are one answer.
func (s *sightings) lackedByForensics(windowEnd time.Time) {
	if s.Lacked > 0 && s.LackedIn.Equal(windowEnd) {
		return
	}
	s.LackedIn = windowEnd
	if s.Lacked++; s.Lacked >= endsAfter {
		s.Forensics, s.Refuted = time.Time{}, true
	}
}

// inAttackReport records an attack report that has the finding. It returns true if the entry is
// new: forensics should be asked about the token.
func (s *sightings) inAttackReport(at, lastAccess time.Time) (isNew bool) {
	isNew = s.Reported.IsZero() || lastAccess.After(s.LastAccess)
	if isNew {
		s.LastAccess, s.Refuted, s.Lacked = lastAccess, false, 0
	}
	s.Reported, s.Missing = at, 0
	return isNew
}

// lackedByAttackReport records an attack report without the finding.
func (s *sightings) lackedByAttackReport() {
	if s.Missing++; s.Missing >= endsAfter {
		s.Reported, s.Refuted = time.Time{}, false
	}
}

// expire ends what no answer since has had.
func (s *sightings) expire(since time.Time) {
	if s.Forensics.Before(since) {
		s.Forensics = time.Time{}
	}
	if s.Reported.Before(since) {
		s.Reported = time.Time{}
	}
}

// reportedFinding is a type as a forensics report has it, with its APIs.
type reportedFinding struct {
	*typeName
	anomaly bool
	apis    []string
}

// findingsOf returns what a forensics report holds, the most severe types first.
func (a *active) findingsOf(report abs.Forensics) []reportedFinding {
	all := make([]reportedFinding, 0, len(report.AttackTypes)+len(report.AnomalyTypes))
	add := func(reported []abs.Finding, anomaly bool) {
		for _, r := range reported {
			apis := r.APIs
			if len(apis) == 0 {
				apis = []string{""}
			}
			all = append(all, reportedFinding{a.pairs.named(r.Type), anomaly, apis})
		}
	}
	add(report.AttackTypes, false)
	add(report.AnomalyTypes, true)
	slices.SortStableFunc(all, func(a, b reportedFinding) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), compareBool(a.anomaly, b.anomaly))
	})
	return all
}
