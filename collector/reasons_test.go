package collector

import (
	"slices"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// The table's closed set for the label reason is the set of abs.Reason.
func TestReasonsAreTheTables(t *testing.T) {
	reasons := []abs.Reason{
		abs.ReasonAuth, abs.ReasonTimeout, abs.ReasonConnection, abs.ReasonStatus, abs.ReasonDecode, abs.ReasonSize, abs.ReasonOther,
	}
	var got []string
	for _, r := range reasons {
		got = append(got, string(r))
	}
	if want := metrics.ReportFailures.LabelValues["reason"]; !slices.Equal(got, want) {
		t.Errorf("reasons of package abs %q, of the table %q", got, want)
	}
}
