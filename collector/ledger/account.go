package ledger

import (
	"slices"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// account holds the counters of a token that is listed, of all others together, or of
// the whole target.
type account struct {
	id    tokenid.ID
	total metrics.Count
	cells []accountCell // in the order of their keys
	// gained is the reading of the ledger's busy clock at the last gain.
	gained time.Duration
	// behind: what was staged last does not show all that was counted, as a series of it
	// is still served as 0.
	behind bool
}

type accountCell struct {
	k key
	metrics.Count
}

// gain adds n to the cell of k, which stands at from or behind it, and tells where.
func (a *account) gain(k key, n int64, from int) int {
	i := from
	for i < len(a.cells) && a.cells[i].k < k {
		i++
	}
	if i == len(a.cells) || a.cells[i].k != k {
		a.cells = slices.Insert(a.cells, i, accountCell{k: k})
	}
	a.cells[i].Value += n
	return i
}

// unsplit is how many requests stand under no value of a dimension: by so much its values
// may yet rise.
func (a *account) unsplit() (n [dimensions]int64) {
	for d := range n {
		n[d] = a.total.Value
	}
	for i := range a.cells {
		n[a.cells[i].k.dimension()] -= a.cells[i].Value
	}
	return n
}

// families are the metrics that an account's counters show as; nil where they have no
// series.
type families struct {
	total *metrics.Family
	cells [dimensions]*metrics.Family
}

func wholeFamilies() families {
	return families{
		total: metrics.Requests,
		cells: [dimensions]*metrics.Family{
			Method: metrics.MethodRequests, API: metrics.APIRequests, Device: metrics.DeviceRequests,
		},
	}
}

// tokenFamilies are those with the label token, for the dimensions that are wanted.
func tokenFamilies(wanted []Dimension) families {
	all := [dimensions]*metrics.Family{
		Method: metrics.TokenMethodRequests, API: metrics.TokenAPIRequests,
		Device: metrics.TokenDeviceRequests, IP: metrics.TokenIPRequests,
	}
	f := families{total: metrics.TokenRequests}
	for _, d := range wanted {
		f.cells[d] = all[d]
	}
	return f
}
