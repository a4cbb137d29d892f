package collector

import (
	"maps"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/abs-exporter/abs-exporter/metrics"
)

// Each setting in the table is exposed in seconds.
func TestConfigSeconds(t *testing.T) {
	reg := prometheus.NewRegistry()
	recordConfig(metrics.NewHealth(reg), "shop", &Options{
		Times: Times{
			Interval: 2 * time.Minute, Slot: 30 * time.Minute, Reread: 10 * time.Minute, Settle: 2 * time.Hour, Window: 3 * time.Hour,
		},
		Series: Series{Expire: 90 * time.Minute},
	})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		if family.GetName() != metrics.ConfigSeconds.Name {
			continue
		}
		for _, m := range family.GetMetric() {
			got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	want := map[string]float64{"interval": 120, "slot": 1800, "reread": 600, "settle": 7200, "window": 10800, "expire": 5400}
	if !maps.Equal(got, want) {
		t.Errorf("the settings are %v, want %v", got, want)
	}
}
