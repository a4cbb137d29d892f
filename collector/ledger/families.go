package ledger

import (
	"slices"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// families are the metrics that counters are exposed as; nil where they have no series.
type families struct {
	total  *metrics.Family
	values [counts.NumDimensions]*metrics.Family
}

// totalFamilies returns those over all tokens.
func totalFamilies(wanted []counts.Dimension) families {
	f := families{
		total: metrics.Requests,
		values: [counts.NumDimensions]*metrics.Family{
			counts.Method: metrics.MethodRequests, counts.API: metrics.APIRequests, counts.Device: metrics.DeviceRequests,
		},
	}
	if slices.Contains(wanted, counts.URL) {
		f.values[counts.URL] = metrics.URLRequests
	}
	return f
}

// tokenFamilies returns those with the label token, for the dimensions that are wanted.
func tokenFamilies(wanted []counts.Dimension) families {
	all := [counts.NumDimensions]*metrics.Family{
		counts.Method: metrics.TokenMethodRequests, counts.API: metrics.TokenAPIRequests,
		counts.Device: metrics.TokenDeviceRequests, counts.IP: metrics.TokenIPRequests,
		counts.URL: metrics.TokenURLRequests,
	}
	f := families{total: metrics.TokenRequests}
	for _, d := range wanted {
		f.values[d] = all[d]
	}
	return f
}
