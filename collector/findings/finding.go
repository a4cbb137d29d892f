package findings

import (
	"cmp"
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
	switch {
	case a.Anomaly == b.Anomaly:
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.API, b.API))
	case a.Anomaly:
		return 1
	default:
		return -1
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

// reportedFinding is a finding as one answer has it.
type reportedFinding struct {
	Finding
	lastAccess time.Time // of an attack report
}

// findingsOf returns what a forensics report holds.
func findingsOf(report abs.Forensics) []reportedFinding {
	var all []reportedFinding
	add := func(reported []abs.Finding, anomaly bool) {
		for _, r := range reported {
			for _, api := range r.APIs {
				all = append(all, reportedFinding{Finding: Finding{anomaly, r.Type, api}})
			}
			if len(r.APIs) == 0 {
				all = append(all, reportedFinding{Finding: Finding{anomaly, r.Type, ""}})
			}
		}
	}
	add(report.AttackTypes, false)
	add(report.AnomalyTypes, true)
	return all
}
