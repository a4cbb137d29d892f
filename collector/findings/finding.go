package findings

import (
	"cmp"
	"slices"

	"github.com/abs-exporter/abs-exporter/abs"
)

// acrossAPIs is ABS's own word, in place of an API, for an attack that no single API saw.
const acrossAPIs = "all"

// Finding is an attack or anomaly type on an API.
type Finding struct {
	Anomaly bool
	Type    string // as ABS spells it
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

// findingsOf returns what a forensics report holds, sorted, each finding once.
func findingsOf(report abs.Forensics) []Finding {
	var all []Finding
	add := func(reported []abs.Finding, anomaly bool) {
		for _, r := range reported {
			for _, api := range r.APIs {
				all = append(all, Finding{anomaly, r.Type, api})
			}
			if len(r.APIs) == 0 {
				all = append(all, Finding{anomaly, r.Type, ""})
			}
		}
	}
	add(report.AttackTypes, false)
	add(report.AnomalyTypes, true)
	return sortFindings(all)
}

func sortFindings(all []Finding) []Finding {
	slices.SortFunc(all, compareFindings)
	return slices.Compact(all)
}
