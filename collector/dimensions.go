package collector

import (
	"fmt"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
)

// parseDimensions turns the names of --series.dimensions into dimensions.
func parseDimensions(names []string) ([]ledger.Dimension, error) {
	all := []ledger.Dimension{ledger.Method, ledger.API, ledger.Device, ledger.IP}
	var parsed []ledger.Dimension
next:
	for _, name := range names {
		for _, d := range all {
			if d.String() == name {
				parsed = append(parsed, d)
				continue next
			}
		}
		return nil, fmt.Errorf("there is no dimension %q: method, api, device and ip are", name)
	}
	return parsed, nil
}
