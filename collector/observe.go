package collector

import (
	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// ObserveCalls is for abs.Config.Observe: it tells the health metrics of every request
// that a target's client made.
func ObserveCalls(health *metrics.Health, target string, clock Clock) func(abs.Call) {
	return func(c abs.Call) {
		health.ReportDuration.WithLabelValues(target, c.Report).Observe(c.Duration.Seconds())
		health.ReportBytes.WithLabelValues(target, c.Report).Add(float64(c.Bytes))
		if c.Err != nil {
			health.ReportFailures.WithLabelValues(target, c.Report, string(abs.ReasonOf(c.Err))).Inc()
			return
		}
		health.ReportLastSuccess.WithLabelValues(target, c.Report).Set(float64(clock.Now().UnixNano()) / 1e9)
	}
}
