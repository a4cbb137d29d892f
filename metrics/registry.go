package metrics

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Build is the content of abs_exporter_build_info.
type Build struct {
	Version   string // such as 1.2.3, or "(devel)"
	Revision  string // the commit, with "-dirty" if files were changed; "unknown" if it was not recorded
	GoVersion string
}

// ReadBuild reads what the Go toolchain recorded in the binary. version and revision, which were set
// at link time, take precedence unless they are empty.
func ReadBuild(version, revision string) Build {
	b := Build{Version: version, Revision: cmp.Or(revision, "unknown"), GoVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		b.Version = cmp.Or(version, "unknown")
		return b
	}
	b.Version = cmp.Or(version, info.Main.Version, "(devel)")
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if recorded := settings["vcs.revision"]; recorded != "" && revision == "" {
		b.Revision = recorded
		if settings["vcs.modified"] == "true" {
			b.Revision += "-dirty"
		}
	}
	return b
}

// NewRegistry returns a registry with go_*, process_* and abs_exporter_build_info.
func NewRegistry(b Build) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: BuildInfo.Name, Help: BuildInfo.Help}, BuildInfo.Labels)
	info.WithLabelValues(b.Version, b.Revision, b.GoVersion).Set(1)
	reg.MustRegister(
		info,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return reg
}

// RegisterLog registers abs_exporter_log_lines_dropped_total, whose value dropped returns. It
// counts from now on.
func RegisterLog(reg prometheus.Registerer, dropped func() float64) {
	reg.MustRegister(&droppedLines{
		desc:  prometheus.NewDesc(LogLinesDropped.Name, LogLinesDropped.Help, nil, nil),
		value: dropped, created: time.Now(),
	})
}

// droppedLines is a counter with a value from elsewhere. prometheus.CounterFunc has no created
// timestamp.
type droppedLines struct {
	desc    *prometheus.Desc
	value   func() float64
	created time.Time
}

// Describe implements prometheus.Collector.
func (d *droppedLines) Describe(to chan<- *prometheus.Desc) { to <- d.desc }

// Collect implements prometheus.Collector.
func (d *droppedLines) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetricWithCreatedTimestamp(d.desc, prometheus.CounterValue, d.value(), d.created)
}

// Reloads holds how the last reading of the configuration ended.
type Reloads struct{ successful, success prometheus.Gauge }

// NewReloads registers the families of reloads with reg.
func NewReloads(reg prometheus.Registerer) *Reloads {
	gauge := func(f *Family) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: f.Name, Help: f.Help, Unit: f.exposedUnit()})
		reg.MustRegister(g)
		return g
	}
	return &Reloads{successful: gauge(ReloadSuccessful), success: gauge(ReloadSuccess)}
}

// Succeeded records that the configuration was read and is in effect.
func (r *Reloads) Succeeded(now time.Time) {
	r.successful.Set(1)
	r.success.Set(float64(now.UnixNano()) / 1e9)
}

// Failed records that the configuration could not be read, or not be applied.
func (r *Reloads) Failed() { r.successful.Set(0) }
