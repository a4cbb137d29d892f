package collector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// adminTimeout bounds a request for the admin report: it is small, and findings wait for it.
const adminTimeout = 15 * time.Second

// AdminReporter requests ABS's own state; *abs.Client is one.
type AdminReporter interface {
	Admin(ctx context.Context) (abs.AdminReport, error)
}

// AdminStatus is what the status page shows of the admin report. Decoys are no APIs in it.
type AdminStatus struct {
	Known          bool // there is an answer that is not older than the window
	APIs           int
	Predicting     int      // ABS detects attacks on them
	TrackingTokens int      // ABS tracks OAuth2 tokens on them
	NotTracking    []string // the names of the first ones on which it does not
	LicenseExpiry  time.Time
	LicenseExpired bool
}

// maxNotTracking is how many names of APIs the status page shows.
const maxNotTracking = 20

// adminReport is the report of ABS's own state. Whatever becomes of it, nothing else depends on it:
// it counts neither for abs_up nor for any other report.
type adminReport struct {
	*wiring
	changed func() // publishes the gauges

	next    time.Time // when it is due
	read    time.Time // when the last answer was requested; zero: never
	exposed []metrics.Block
	status  AdminStatus

	failing  time.Time // since when it fails; zero: it does not
	attempts int       // that failed since
	zone     string    // ABS's word for a time zone that is not ours, as last logged
	omitted  bool      // it was logged that a report has too many APIs or nodes
}

// poll implements report: it reads the admin report when it is due.
func (r *adminReport) poll(ctx context.Context, c *cycle) (publish bool) {
	wait := r.next.Sub(c.began) // longer than that after the clock was set back
	if r.Admin == nil || wait > 0 && wait <= max(r.options.Window, r.options.AdminInterval) {
		return false
	}
	if r.next = r.next.Add(r.options.AdminInterval); !r.next.After(c.began) || wait > 0 {
		r.next = c.began.Add(r.options.AdminInterval)
	}
	began := r.clock.Now()
	bounded, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	a, err := r.Admin.Admin(bounded)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		r.failed(c, err)
	default:
		r.answered(began, &a)
		r.changed()
	}
	r.heartbeat()
	return false
}

// failed records a failure, in the log only if it is the first in a row. What ABS refuses or does
// not have is left out for a window.
func (r *adminReport) failed(c *cycle, err error) {
	const without = "ABS's licence, APIs and nodes are not known; their metrics keep their last value for --collect.window at most; all else goes on"
	var e *abs.Error
	refused := abs.ReasonOf(err) == abs.ReasonAuth
	missing := errors.As(err, &e) && e.Status == http.StatusNotFound
	if refused || missing {
		r.next = c.began.Add(max(r.options.Window, r.options.AdminInterval))
	}
	if r.attempts++; r.attempts > 1 {
		return
	}
	r.failing = c.began
	switch {
	case refused && !r.Forensics: // as the restricted user
		r.log.Info("admin report refused", "err", err, "consequence", without+"; it is left out for --collect.window")
	case refused:
		r.failures.add("admin report refused", err, without+"; it is left out for --collect.window")
	case missing:
		r.failures.add("admin report not found", err, without+"; it is left out for --collect.window; if ABS has it at another path, set --abs.admin-path")
	default:
		r.failures.add("admin report not read", err, without+"; it is tried again every --admin.interval")
	}
}

// answered takes over an answer.
func (r *adminReport) answered(began time.Time, a *abs.AdminReport) {
	if r.attempts > 0 {
		r.log.Info("report recovered", "report", abs.ReportAdmin, "after", began.Sub(r.failing).Round(time.Second), "failures", r.attempts)
		r.attempts, r.failing = 0, time.Time{}
	}
	if a.Omitted > 0 && !r.omitted {
		r.log.Warn("admin report has too many APIs or nodes", "omitted", a.Omitted,
			"consequence", "the last ones have no metrics")
	}
	r.read, r.omitted = began, a.Omitted > 0
	cutNames(a)
	r.status = adminStatus(a)
	r.expose(a)
	if a.Timezone != "" {
		r.compareZone(began, a.Timezone)
	}
}

// cutNames makes values of labels of the texts of a report. Of those that become the same value, the
// first remains.
func cutNames(a *abs.AdminReport) {
	cut := func(texts ...*string) {
		for _, t := range texts {
			*t = metrics.LabelValue(*t)
		}
	}
	twice := func() func(name string) bool {
		seen := map[string]bool{}
		return func(name string) bool {
			before := seen[name]
			seen[name] = true
			return before
		}
	}
	cut(&a.License.Tier, &a.Timezone)
	apis, nodes, mongoDB := twice(), twice(), twice()
	a.APIs = slices.DeleteFunc(a.APIs, func(p abs.AdminAPI) bool { return apis(metrics.LabelValue(p.Name)) })
	a.Nodes = slices.DeleteFunc(a.Nodes, func(n abs.AdminNode) bool { return nodes(metrics.LabelValue(n.Name)) })
	a.MongoDB = slices.DeleteFunc(a.MongoDB, func(m abs.AdminMongoDB) bool { return mongoDB(metrics.LabelValue(m.Name)) })
	for i := range a.APIs {
		cut(&a.APIs[i].Name, &a.APIs[i].Type)
	}
	for i := range a.Nodes {
		cut(&a.Nodes[i].Name, &a.Nodes[i].OS)
	}
	for i := range a.MongoDB {
		cut(&a.MongoDB[i].Name)
	}
}

// compareZone compares the time zone that ABS says it has with the configured one.
func (r *adminReport) compareZone(now time.Time, word string) {
	same, known := sameZone(word, r.Location, now)
	if !known {
		r.log.Debug("time zone of ABS not comparable", "abs_timezone", word)
		return
	}
	mismatch := int64(1)
	if same {
		mismatch = 0
	}
	r.exposed = append(r.exposed, r.block(metrics.TimezoneMismatch, mismatch, word))
	switch {
	case same && r.zone != "":
		r.log.Info("time zone of ABS is the configured one again", "abs_timezone", word)
		r.zone = ""
	case !same && r.zone != word:
		r.zone = word
		r.failures.add("time zone of ABS is not the configured one",
			fmt.Errorf("ABS has %q, and --abs.timezone is %q", word, r.Location),
			"every window is shifted: requests are counted in wrong slots, and attacks may be missed; set --abs.timezone="+
				zoneFlag(word))
	}
}

func (r *adminReport) block(f *metrics.Family, value int64, labels ...string) metrics.Block {
	series := metrics.NewSeries(f, time.Time{}, append([]string{r.Name}, labels...)...)
	return metrics.Block{Family: f, Samples: []metrics.Sample{{Series: series, Value: value}}}
}

// expose renders the families once, for all commits until the next answer. What the answer lacks
// has no series.
func (r *adminReport) expose(a *abs.AdminReport) {
	r.exposed = nil
	number := func(f *metrics.Family, value *int64, labels ...string) {
		if value != nil {
			r.exposed = append(r.exposed, r.block(f, *value, labels...))
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
}

func adminStatus(a *abs.AdminReport) AdminStatus {
	s := AdminStatus{
		Known: true, LicenseExpiry: a.License.Expiry, LicenseExpired: a.License.Expired != nil && *a.License.Expired,
	}
	for i := range a.APIs {
		p := &a.APIs[i]
		if strings.HasPrefix(p.Type, "decoy") {
			continue
		}
		s.APIs++
		if p.Prediction != nil && *p.Prediction {
			s.Predicting++
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

// fresh reports whether the last answer may still be shown.
func (r *adminReport) fresh(now time.Time) bool {
	return !r.read.IsZero() && now.Sub(r.read) <= r.options.Window
}

// gauges returns what may still be exposed of the last answer.
func (r *adminReport) gauges(now time.Time) []metrics.Block {
	if !r.fresh(now) {
		return nil
	}
	return r.exposed
}

// statusAt returns what the status page may still show of the last answer.
func (r *adminReport) statusAt(now time.Time) AdminStatus {
	if !r.fresh(now) {
		return AdminStatus{}
	}
	return r.status
}
