package tools

import "github.com/abs-exporter/abs-exporter/collector/fold"

// Families adds up the requests of the devices of one family, as the label device has them.
func Families(byDevice map[string]int64) map[string]int64 {
	sums := map[string]int64{}
	for device, n := range byDevice {
		sums[fold.Device(device)] += n
	}
	return sums
}
