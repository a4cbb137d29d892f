package absstate

import (
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/admin"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Status is what the status page shows of the admin report. Decoys do not count as APIs.
type Status struct {
	Known          bool // an answer says on which APIs ABS detects attacks, and is not older than the window
	APIs           int
	Predicting     int      // ABS detects attacks on them
	TrackingTokens int      // ABS tracks OAuth2 tokens on them
	NotTracking    []string // the names of the first ones on which it does not
	LicenseExpiry  time.Time
	LicenseExpired bool
}

// maxNotTracking is how many names of APIs the status page shows.
const maxNotTracking = 20

// StatusOf returns what the status page shows of a report.
func StatusOf(a *admin.Report) Status {
	s := Status{
		Known:         a.APIs != nil && len(a.APIs) == 0, // it has none
		LicenseExpiry: a.License.Expiry, LicenseExpired: a.License.Expired != nil && *a.License.Expired,
	}
	for i := range a.APIs {
		p := &a.APIs[i]
		if strings.HasPrefix(p.Type, "decoy") {
			continue
		}
		s.APIs++
		if p.Prediction != nil {
			s.Known = true
			if *p.Prediction {
				s.Predicting++
			}
		}
		switch {
		case p.TracksTokens == nil:
		case *p.TracksTokens:
			s.TrackingTokens++
		case len(s.NotTracking) < maxNotTracking:
			s.NotTracking = append(s.NotTracking, p.Name)
		}
	}
	return s
}

// Gauge returns one series; the labels are those after target.
func Gauge(target string, f *metrics.Family, value int64, labels ...string) metrics.Block {
	series := metrics.NewSeries(f, time.Time{}, append([]string{target}, labels...)...)
	return metrics.Block{Family: f, Samples: []metrics.Sample{{Series: series, Value: value}}}
}

// Gauges returns the series of a report. A value that the report lacks has no series.
func Gauges(target string, a *admin.Report) (blocks []metrics.Block) {
	number := func(f *metrics.Family, value *int64, labels ...string) {
		if value != nil {
			blocks = append(blocks, Gauge(target, f, *value, labels...))
		}
	}
	yes := func(f *metrics.Family, value *bool, labels ...string) {
		if value != nil {
			n := int64(0)
			if *value {
				n = 1
			}
			number(f, &n, labels...)
		}
	}
	date := func(f *metrics.Family, t time.Time, labels ...string) {
		if !t.IsZero() {
			n := t.Unix()
			number(f, &n, labels...)
		}
	}
	one := int64(1)
	if a.License.Tier != "" {
		number(metrics.LicenseInfo, &one, a.License.Tier)
	}
	date(metrics.LicenseExpiry, a.License.Expiry)
	yes(metrics.LicenseExpired, a.License.Expired)
	number(metrics.LicenseTransactions, a.License.Transactions)
	if n := a.License.MaxTransactions; n != nil && *n > 0 {
		number(metrics.LicenseMaxTransactions, n)
	}
	yes(metrics.AcrossAPIPredictionMode, a.AcrossAPIs)
	for i := range a.APIs {
		p := &a.APIs[i]
		yes(metrics.APIPredictionMode, p.Prediction, p.Name)
		date(metrics.APITrainingStart, p.TrainingStarted, p.Name)
		if seconds := int64(p.Training / time.Second); seconds > 0 {
			number(metrics.APITraining, &seconds, p.Name)
		}
		tracks := ""
		if p.TracksTokens != nil {
			tracks = strconv.FormatBool(*p.TracksTokens)
		}
		number(metrics.APIInfo, &one, p.Name, p.Type, tracks)
	}
	for i := range a.Nodes {
		n := &a.Nodes[i]
		number(metrics.NodeInfo, &one, n.Name, n.OS)
		number(metrics.NodeCPUs, n.CPUs, n.Name)
		number(metrics.NodeMemory, n.Memory, n.Name)
		if n.FilesystemUsed != nil {
			parts := int64(*n.FilesystemUsed*float64(metrics.NodeFilesystemUsed.Scale) + 0.5)
			number(metrics.NodeFilesystemUsed, &parts, n.Name)
		}
	}
	for i := range a.MongoDB {
		yes(metrics.MongoDBNodeUp, &a.MongoDB[i].Up, a.MongoDB[i].Name)
	}
	return blocks
}
