package metrics

// Values of the labels whose sets are closed.
const (
	SlotOpen    = "open"
	SlotPending = "pending"

	ForensicsDue     = "due"
	ForensicsCovered = "covered"
	ForensicsSkipped = "skipped"
	ForensicsFailed  = "failed"

	DimensionToken  = "token"
	DimensionMethod = "method"
	DimensionAPI    = "api"
	DimensionDevice = "device"
	DimensionIP     = "ip"

	SignalMetrics = "metrics"
	SignalLogs    = "logs"

	OutcomeSuccess = "success"
	OutcomePartial = "partial"
	OutcomeFailure = "failure"
)

// Other is the value that a label has for everything past its limit of series.
const Other = "_other"

// reports are the names of ABS's reports and reasons the reasons of a failed one: the constants
// abs.Report… and abs.Reason…, which this package does not import. A test of the package collector,
// which sets these labels, keeps the two equal.
func reports() []string { return []string{"oauthtokens", "forensics", "attacklist", "attack"} }

func reasons() []string {
	return []string{"auth", "timeout", "connection", "status", "decode", "size", "other"}
}

// Counters: each request that ABS tells within the settle time is counted once.
var (
	Requests = &Family{
		Name: "abs_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Requests that ABS has told of, each counted once, over all tokens.",
		Note:   "Exists from the start, at 0. Its increase over any span is the sum of the increases of `abs_token_requests_total` over `token`.",
	}
	TokenRequests = &Family{
		Name: "abs_token_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "token"},
		Help:   "Requests made with a token, each counted once from when the token got series of its own.",
		Note:   "Ends when the token has made no new request for `--series.expire`. Absent with `--series.max-tokens=0`.",
	}
	TokenMethodRequests = &Family{
		Name: "abs_token_method_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "token", "method"},
		Help:   "Requests made with a token by HTTP method, each counted once.",
		Note:   "Absent unless `--series.dimensions` names `method` (it does by default).",
	}
	TokenAPIRequests = &Family{
		Name: "abs_token_api_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "token", "api"},
		Help:   "Requests made with a token by API, each counted once.",
		Note:   "Absent unless `--series.dimensions` names `api` (it does by default).",
	}
	TokenDeviceRequests = &Family{
		Name: "abs_token_device_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "token", "device"},
		Help:   "Requests made with a token by device as ABS names it, each counted once.",
		Note:   "Absent unless `--series.dimensions` names `device` (it does by default).",
	}
	TokenIPRequests = &Family{
		Name: "abs_token_ip_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "token", "ip"},
		Help:   "Requests made with a token by client IP address, each counted once.",
		Note:   "Absent unless `--series.dimensions` names `ip`, which it does not by default: addresses are many, and personal data in some countries.",
	}
	MethodRequests = &Family{
		Name: "abs_method_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "method"},
		Help:   "Requests by HTTP method, each counted once, over all tokens.",
	}
	APIRequests = &Family{
		Name: "abs_api_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "api"},
		Help:   "Requests by API, each counted once, over all tokens.",
	}
	DeviceRequests = &Family{
		Name: "abs_device_requests_total", Type: Counter, Unit: "requests", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "device"},
		Help:   "Requests by device as ABS names it, each counted once, over all tokens.",
	}
	AttackDetections = &Family{
		Name: "abs_attack_detections_total", Type: Counter, Unit: "detections", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "attack_type", "api"},
		Help:   "Times that a token came under an attack of this type on this API, each beginning counted once.",
		Note:   "A failed forensics call ends no attack, so the next good answer is no new detection. Absent for a pair until its first detection, then born at 0.",
	}
	AnomalyDetections = &Family{
		Name: "abs_anomaly_detections_total", Type: Counter, Unit: "detections", Group: GroupCounters, Stability: Stable,
		Labels: []string{LabelTarget, "anomaly_type", "api"},
		Help:   "Times that a token began to show an anomaly of this type on this API, each beginning counted once.",
		Note:   "Absent for a pair until its first detection, then born at 0.",
	}
)

// Gauges: what ABS says of the sliding window.
var (
	WindowSeconds = &Family{
		Name: "abs_window_seconds", Type: Gauge, Unit: "seconds", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Length of the sliding window that the last window report covered, in seconds.",
	}
	WindowTokens = &Family{
		Name: "abs_window_tokens", Type: Gauge, Unit: "tokens", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Tokens in the sliding window, as the report's summary.tokens says. Absent while the window had to be read in parts.",
		Note:   "Tokens of two parts cannot be added: one token may be in both.",
	}
	WindowRequests = &Family{
		Name: "abs_window_requests", Type: Gauge, Unit: "requests", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Requests in the sliding window, as the report's summary.total_requests says. Absent while the window had to be read in parts.",
		Note:   "No counter: windows overlap. For rates and increases use `abs_requests_total`.",
	}
	WindowUnattributedRequests = &Family{
		Name: "abs_window_unattributed_requests", Type: Gauge, Unit: "requests", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Requests in the sliding window's summary that none of the report's rows accounts for.",
		Note:   "Above 0, ABS left rows out: its `response_size` is too small for the window, or it lists only some tokens.",
	}
	TokenWindowRequests = &Family{
		Name: "abs_token_window_requests", Type: Gauge, Unit: "requests", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "token"},
		Help:   "Requests made with a token in the sliding window. Absent for a token that the window does not hold.",
	}
	TokenAttackTypes = &Family{
		Name: "abs_token_attack_types", Type: Gauge, Unit: "attacks", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "token"},
		Help:   "Attack types that a token is under in the sliding window, as its forensics' summary.total_attacks says. Absent until the token was asked about.",
	}
	TokenAnomalyTypes = &Family{
		Name: "abs_token_anomaly_types", Type: Gauge, Unit: "anomalies", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "token"},
		Help:   "Anomaly types that a token shows in the sliding window, as its forensics' summary.total_anomalies says. Absent until the token was asked about.",
	}
	TokenAttackActive = &Family{
		Name: "abs_token_attack_active", Type: Gauge, Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "token", "attack_type", "api"},
		Help:   "1 while a token is under an attack of this type on this API, else absent. At most as many tokens as have series of their own.",
		Note:   "At most `--series.max-tokens` tokens; `abs_attack_tokens` and `abs_flagged_tokens` count all.",
	}
	TokenAnomalyActive = &Family{
		Name: "abs_token_anomaly_active", Type: Gauge, Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "token", "anomaly_type", "api"},
		Help:   "1 while a token shows an anomaly of this type on this API, else absent. At most as many tokens as have series of their own.",
		Note:   "At most `--series.max-tokens` tokens; `abs_anomaly_tokens` counts all.",
	}
	AttackTokens = &Family{
		Name: "abs_attack_tokens", Type: Gauge, Unit: "tokens", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "attack_type", "api"},
		Help:   "Tokens that are under an attack of this type on this API now. Stays at 0 after the attack; absent if none was ever seen.",
	}
	AnomalyTokens = &Family{
		Name: "abs_anomaly_tokens", Type: Gauge, Unit: "tokens", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "anomaly_type", "api"},
		Help:   "Tokens that show an anomaly of this type on this API now. Stays at 0 after the anomaly; absent if none was ever seen.",
	}
	FlaggedTokens = &Family{
		Name: "abs_flagged_tokens", Type: Gauge, Unit: "tokens", Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Tokens that are under any attack now, each counted once.",
	}
	AttackTypeInfo = &Family{
		Name: "abs_attack_type_info", Type: Gauge, Group: GroupWindow, Stability: Stable,
		Labels: []string{LabelTarget, "attack_type", "id", "category", "severity"},
		Help:   "Always 1: what is known of an attack type. One series for every attack type that any other series names.",
		Note:   "Join it to the attack series on `target` and `attack_type` to get the severity.",
	}
)

// The exporter's own health.
var (
	Up = &Family{
		Name: "abs_up", Type: Gauge, Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "1 if the last cycle got its reports from ABS, 0 if any failed. Absent until the first cycle has ended.",
	}
	CycleDuration = &Family{
		Name: "abs_exporter_cycle_duration_seconds", Type: Histogram, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels:  []string{LabelTarget},
		Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		Help:    "How long a whole cycle took: asking ABS, counting, saving and publishing, in seconds.",
		Note:    "Native and classic histogram. Cycles never overlap: one that outlasts `--collect.interval` holds up the next.",
	}
	ReportDuration = &Family{
		Name: "abs_exporter_report_duration_seconds", Type: Histogram, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget, "report"}, LabelValues: map[string][]string{"report": reports()},
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		Help:    "How long ABS took to answer a report, to the last byte, in seconds; failed calls are counted too.",
		Note:    "Native and classic histogram. The wait for `--abs.rate` and `--abs.concurrency` is not in it.",
	}
	ReportBytes = &Family{
		Name: "abs_exporter_report_bytes_total", Type: Counter, Unit: "bytes", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget, "report"}, LabelValues: map[string][]string{"report": reports()},
		Help: "Bytes of report bodies read from ABS, after decompression.",
	}
	ReportFailures = &Family{
		Name: "abs_exporter_report_failures_total", Type: Counter, Unit: "failures", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget, "report", "reason"},
		LabelValues: map[string][]string{
			"report": reports(),
			"reason": reasons(),
		},
		Help: "Calls to ABS that gave no usable report, by reason. A failed report changes no counter of requests.",
		Note: "All reasons exist from the start, at 0.",
	}
	ReportLastSuccess = &Family{
		Name: "abs_exporter_report_last_success_timestamp_seconds", Type: Gauge, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget, "report"}, LabelValues: map[string][]string{"report": reports()},
		Help: "When ABS last answered a usable report, in seconds since 1970. Absent until it has.",
	}
	LastNewRequests = &Family{
		Name: "abs_last_new_requests_timestamp_seconds", Type: Gauge, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "When a report last told of more requests than before, in seconds since 1970. Absent until one has.",
		Note:   "Standing still while there should be traffic, it says that ABS gets no logs: a full disk, or a feed that stopped.",
	}
	Slots = &Family{
		Name: "abs_exporter_slots", Type: Gauge, Unit: "slots", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget, "state"}, LabelValues: map[string][]string{"state": {SlotOpen, SlotPending}},
		Help: "Slots that are not settled: open ones are read again until they are, pending ones are still to be made up after a pause.",
	}
	MissedSlots = &Family{
		Name: "abs_exporter_missed_slots_total", Type: Counter, Unit: "slots", Group: GroupHealth, Counted: true, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Slots given up because they lay too far back to be read; requests that only they told of are not counted.",
		Note:   "Further back than `--collect.max-backfill`.",
	}
	RequestDelay = &Family{
		Name: "abs_request_delay_seconds", Type: Histogram, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels:  []string{LabelTarget},
		Buckets: []float64{60, 120, 300, 600, 1200, 1800, 2700, 3600, 5400, 7200, 9000, 10800},
		Help:    "How long after its slot's end a request was counted, in seconds; one observation a request, 0 while the slot still ran.",
		Note:    "Classic histogram only: one commit counts millions of requests at once. It shows how late ABS is, and so whether `--collect.settle` is long enough.",
	}
	ReportRegressions = &Family{
		Name: "abs_exporter_report_regressions_total", Type: Counter, Unit: "readings", Group: GroupHealth, Counted: true, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Readings in which a slot, or a token with series of its own, had fewer requests than were counted of it before.",
		Note:   "ABS took requests back. Counters do not fall for it, and what ABS gives again is not counted twice.",
	}
	AuditDifference = &Family{
		Name: "abs_exporter_audit_difference_requests", Type: Gauge, Unit: "requests", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Requests that the last audit found in ABS and not in the counters; below 0, more were counted than ABS holds. Absent until an audit was made.",
	}
	ForensicsTokens = &Family{
		Name: "abs_exporter_forensics_tokens", Type: Gauge, Unit: "tokens", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget, "state"},
		LabelValues: map[string][]string{
			"state": {ForensicsDue, ForensicsCovered, ForensicsSkipped, ForensicsFailed},
		},
		Help: "Tokens of the sliding window by what forensics knows of them: still to be asked about, asked about, skipped, or failed.",
	}
	ForensicsOldestAge = &Family{
		Name: "abs_exporter_forensics_oldest_age_seconds", Type: Gauge, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Since when every token that stayed in the window was asked about, in seconds: how old a forensics answer can be. Absent before all were.",
	}
	FindingsOverflow = &Family{
		Name: "abs_exporter_findings_overflow_total", Type: Counter, Unit: "findings", Group: GroupHealth, Counted: true, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Findings of tokens past the number that is remembered (100,000): only counted here.",
		Note:   "One report that flags more tokens than that is more likely wrong than true. It stays at 0 otherwise.",
	}
	SeriesOverflow = &Family{
		Name: "abs_exporter_series_overflow_requests_total", Type: Counter, Unit: "requests", Group: GroupHealth, Counted: true, Stability: Stable,
		Labels: []string{LabelTarget, "dimension"},
		LabelValues: map[string][]string{
			"dimension": {DimensionToken, DimensionMethod, DimensionAPI, DimensionDevice, DimensionIP},
		},
		Help: "Requests counted under the value _other because the label's series were all taken.",
		Note: "See `--series.max-tokens` and `--series.max-values`.",
	}
	StateSaveFailures = &Family{
		Name: "abs_exporter_state_save_failures_total", Type: Counter, Unit: "failures", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "Saves of the state that failed. While saving fails, counters stand still and nothing is lost.",
	}
	StateLastSave = &Family{
		Name: "abs_exporter_state_last_save_timestamp_seconds", Type: Gauge, Unit: "seconds", Group: GroupHealth, Stability: Stable,
		Labels: []string{LabelTarget},
		Help:   "When the state was last saved, in seconds since 1970. Absent until it was, and while state is kept in memory only.",
	}
	BuildInfo = &Family{
		Name: "abs_exporter_build_info", Type: Gauge, Group: GroupHealth, Stability: Stable,
		Labels: []string{"version", "revision", "goversion"},
		Help:   "Always 1: the exporter's version, commit and Go version.",
		Note:   "The one family without `target`: it tells of the process, not of a deployment of ABS.",
	}
)

// What OTLP pushes come to. They tell of the process, as BuildInfo does, and exist only while pushing is on.
var (
	OTLPRequests = &Family{
		Name: "abs_exporter_otlp_requests_total", Type: Counter, Unit: "requests", Group: GroupPush, Stability: Experimental,
		Labels: []string{"signal", "outcome"},
		LabelValues: map[string][]string{
			"signal":  {SignalMetrics, SignalLogs},
			"outcome": {OutcomeSuccess, OutcomePartial, OutcomeFailure},
		},
		Help: "Requests to the OTLP receiver, by what became of them.",
		Note: "`partial`: the receiver took the request and refused some of it. A failure of metrics loses nothing that lasts: sums are cumulative, and the next push tells the same and more.",
	}
	OTLPDropped = &Family{
		Name: "abs_exporter_otlp_dropped_total", Type: Counter, Unit: "records", Group: GroupPush, Stability: Experimental,
		Labels: []string{"signal"}, LabelValues: map[string][]string{"signal": {SignalMetrics, SignalLogs}},
		Help: "Points of metrics that the OTLP receiver refused for good, and log records that it refused or that the full queue gave up.",
	}
	OTLPLastSuccess = &Family{
		Name: "abs_exporter_otlp_last_success_timestamp_seconds", Type: Gauge, Unit: "seconds", Group: GroupPush, Stability: Experimental,
		Labels: []string{"signal"}, LabelValues: map[string][]string{"signal": {SignalMetrics, SignalLogs}},
		Help: "When the OTLP receiver last took everything that was to be told, in seconds since 1970. Absent until it has.",
	}
)

// Table is the one table of metrics: every abs_* family, in the order in which they are exposed and documented.
// What is not in it is not served. The families are shared; only the slice is the caller's.
func Table() []*Family {
	return []*Family{
		Requests, TokenRequests, TokenMethodRequests, TokenAPIRequests, TokenDeviceRequests, TokenIPRequests,
		MethodRequests, APIRequests, DeviceRequests, AttackDetections, AnomalyDetections,

		WindowSeconds, WindowTokens, WindowRequests, WindowUnattributedRequests, TokenWindowRequests,
		TokenAttackTypes, TokenAnomalyTypes, TokenAttackActive, TokenAnomalyActive, AttackTokens, AnomalyTokens, FlaggedTokens,
		AttackTypeInfo,

		Up, CycleDuration, ReportDuration, ReportBytes, ReportFailures, ReportLastSuccess, LastNewRequests,
		Slots, MissedSlots, RequestDelay, ReportRegressions, AuditDifference, ForensicsTokens, ForensicsOldestAge,
		SeriesOverflow, FindingsOverflow, StateSaveFailures, StateLastSave, BuildInfo,

		OTLPRequests, OTLPDropped, OTLPLastSuccess,
	}
}

// labelMeanings says, for the reference, what each label's value is. Its order is the reference's.
func labelMeanings() []struct{ name, meaning string } {
	return []struct{ name, meaning string }{
		{LabelTarget, "the ABS deployment: `--abs.name`, by default the host of `--abs.url`"},
		{"token", "the token id of an access token (never the token), or `_other`"},
		{"method", "HTTP method as ABS tells it, or `_other`"},
		{"api", "name of the API as ABS tells it, or `_other`; on attacks and anomalies `all` is ABS's own word for one across APIs, and there is no `_other`"},
		{"device", "device or user agent as ABS tells it, or `_other`"},
		{"ip", "client IP address as ABS tells it, or `_other`"},
		{"attack_type", "name of the attack type, in ABS's spelling"},
		{"anomaly_type", "name of the anomaly type, in ABS's spelling"},
		{"id", "ABS's number of the attack type; empty if it is not known"},
		{"category", "what the attack is after, from the exporter's catalogue; empty if it is not known"},
		{"severity", "how bad it is: the exporter's judgement or the configuration's, not ABS's; `unknown` for a type that it does not know"},
		{"report", "which report was asked for: `oauthtokens` is token metrics, `forensics` is one token, `attacklist` and `attack` are the hints that name suspects"},
		{"reason", "why it failed: keys refused (`auth`), no answer in time (`timeout`), no connection or TLS (`connection`), another HTTP status (`status`), a body that is no such report (`decode`), a body past the limit (`size`), anything else (`other`)"},
		{"state", "of a slot: `open` (read again until settled) or `pending` (to be made up); of a token in forensics: `due`, `covered`, `skipped` (ABS refuses to be asked about it) or `failed`"},
		{"dimension", "the label whose series were all taken"},
		{"signal", "what is pushed over OTLP: `metrics` or `logs` (events)"},
		{"outcome", "what the OTLP receiver made of a request: all of it taken (`success`), some of it refused (`partial`), none of it taken (`failure`)"},
		{"version", "the exporter's version"},
		{"revision", "the commit it was built from"},
		{"goversion", "the Go version it was built with"},
	}
}
