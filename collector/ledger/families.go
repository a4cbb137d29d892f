package ledger

import (
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// families are the metrics that counters are exposed as; nil where they have no series.
type families struct {
	total  *metrics.Family
	values [counts.NumDimensions]*metrics.Family
}

func totalFamilies() families {
	return families{
		total: metrics.Requests,
		values: [counts.NumDimensions]*metrics.Family{
			counts.Method: metrics.MethodRequests, counts.API: metrics.APIRequests, counts.Device: metrics.DeviceRequests,
		},
	}
}

// tokenFamilies returns those with the label token, for the dimensions that are wanted.
func tokenFamilies(wanted []counts.Dimension) families {
	all := [counts.NumDimensions]*metrics.Family{
		counts.Method: metrics.TokenMethodRequests, counts.API: metrics.TokenAPIRequests,
		counts.Device: metrics.TokenDeviceRequests, counts.IP: metrics.TokenIPRequests,
	}
	f := families{total: metrics.TokenRequests}
	for _, d := range wanted {
		f.values[d] = all[d]
	}
	return f
}
