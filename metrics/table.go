package metrics

// Values of the labels with a closed set of values.
const (
	SlotOpen    = "open"
	SlotPending = "pending"

	ForensicsDue     = "due"
	ForensicsCovered = "covered"
	ForensicsSkipped = "skipped"
	ForensicsFailed  = "failed"

	SettingInterval = "interval"
	SettingSlot     = "slot"
	SettingReread   = "reread"
	SettingSettle   = "settle"
	SettingWindow   = "window"
	SettingExpire   = "expire"

	DimensionToken  = "token"
	DimensionMethod = "method"
	DimensionAPI    = "api"
	DimensionDevice = "device"
	DimensionIP     = "ip"
	DimensionURL    = "url"

	SignalMetrics = "metrics"
	SignalLogs    = "logs"

	OutcomeSuccess = "success"
	OutcomePartial = "partial"
	OutcomeFailure = "failure"
)

// Other is the value of a label for everything beyond its limit of series.
const Other = "_other"

// reports are the names of ABS's reports and reasons the reasons of a failed one: the constants
// abs.Report… and abs.Reason…, which this package does not import. A test of the package collector,
// which sets these labels, keeps the two equal.
var (
	reports = []string{"oauthtokens", "forensics", "attacklist", "attack", "admin"}
	reasons = []string{"auth", "timeout", "connection", "status", "decode", "size", "other"}

	reportsOfRows = []string{"oauthtokens", "forensics"}
	skipReasons   = []string{"token", "count", "shape"} // abs.Skip…
)

// What may differ between a report and its request: the values of the label "field" of
// ReportMismatches.
const (
	MismatchDates = "dates"
	MismatchToken = "token"
)

// Counters: each request that ABS reports within the settle time is counted once.
var (
	Requests = GroupCounters.ofTarget(Family{
		Name: "abs_requests_total", Unit: "requests",
		Help: "Requests that ABS reported, each counted once, over all tokens.",
		Note: "Exists from the start, at 0. Its increase over any span is the sum of the increases of `abs_token_requests_total` over `token`.",
	})
	TokenRequests = GroupCounters.ofTarget(Family{
		Name: "abs_token_requests_total", Unit: "requests", Labels: []string{"token"},
		Help: "Requests of a token, each counted once since the token is tracked.",
		Note: "A token is tracked while it has series of its own; it expires after `--series.expire` without a new request. Absent with `--series.max-tokens=0`.",
	})
	TokenMethodRequests = GroupCounters.ofTarget(Family{
		Name: "abs_token_method_requests_total", Unit: "requests", Labels: []string{"token", "method"},
		Help: "Requests of a token by HTTP method, each counted once.",
		Note: "Absent unless `--series.dimensions` names `method` (it does by default).",
	})
	TokenAPIRequests = GroupCounters.ofTarget(Family{
		Name: "abs_token_api_requests_total", Unit: "requests", Labels: []string{"token", "api"},
		Help: "Requests of a token by API, each counted once.",
		Note: "Absent unless `--series.dimensions` names `api` (it does by default).",
	})
	TokenDeviceRequests = GroupCounters.ofTarget(Family{
		Name: "abs_token_device_requests_total", Unit: "requests", Labels: []string{"token", "device"},
		Help: "Requests of a token by device or family of user agents, each counted once.",
		Note: "Absent unless `--series.dimensions` names `device` (it does by default).",
	})
	TokenIPRequests = GroupCounters.ofTarget(Family{
		Name: "abs_token_ip_requests_total", Unit: "requests", Labels: []string{"token", "ip"},
		Help: "Requests of a token by client IP address, each counted once.",
		Note: "Absent unless `--series.dimensions` names `ip`, which it does not by default: addresses are many, and in some countries they are personal data.",
	})
	TokenURLRequests = GroupCounters.ofTarget(Family{
		Name: "abs_token_url_requests_total", Unit: "requests", Labels: []string{"token", "url"},
		Help: "Requests of a token by the template of the URL's path, each counted once.",
		Note: "Absent unless `--series.dimensions` names `url`, which it does not by default: paths are many.",
	})
	MethodRequests = GroupCounters.ofTarget(Family{
		Name: "abs_method_requests_total", Unit: "requests", Labels: []string{"method"},
		Help: "Requests by HTTP method, each counted once, over all tokens.",
	})
	APIRequests = GroupCounters.ofTarget(Family{
		Name: "abs_api_requests_total", Unit: "requests", Labels: []string{"api"},
		Help: "Requests by API, each counted once, over all tokens.",
	})
	DeviceRequests = GroupCounters.ofTarget(Family{
		Name: "abs_device_requests_total", Unit: "requests", Labels: []string{"device"},
		Help: "Requests by device or family of user agents, each counted once, over all tokens.",
	})
	URLRequests = GroupCounters.ofTarget(Family{
		Name: "abs_url_requests_total", Unit: "requests", Labels: []string{"url"},
		Help: "Requests by the template of the URL's path, each counted once, over all tokens.",
		Note: "Absent unless `--series.dimensions` names `url`.",
	})
	AttackDetections = GroupCounters.ofTarget(Family{
		Name: "abs_attack_detections_total", Unit: "detections", Labels: []string{"attack_type", "api"},
		Help: "Attacks of this type on this API that began: how often ABS newly flagged a token for it.",
		Note: "A failed forensics call ends no attack, so the next successful one is no new detection. Absent for a pair until its first detection, then zero-initialised.",
	})
	AnomalyDetections = GroupCounters.ofTarget(Family{
		Name: "abs_anomaly_detections_total", Unit: "detections", Labels: []string{"anomaly_type", "api"},
		Help: "Anomalies of this type on this API that began: how often ABS newly reported it for a token.",
		Note: "Absent for a pair until its first detection, then zero-initialised.",
	})
)

// Gauges: what ABS reports about the sliding window.
var (
	WindowSeconds = GroupWindow.ofTarget(Family{
		Name: "abs_window_seconds", Unit: "seconds",
		Help: "Length of the sliding window in the last window report, in seconds.",
	})
	WindowTokens = GroupWindow.ofTarget(Family{
		Name: "abs_window_tokens", Unit: "tokens",
		Help: "Tokens in the sliding window: the report's summary.tokens. Absent while the window is too large for one request and is read in spans.",
		Note: "Tokens of two spans cannot be added: one token may be in both.",
	})
	WindowRequests = GroupWindow.ofTarget(Family{
		Name: "abs_window_requests", Unit: "requests",
		Help: "Requests in the sliding window: the report's summary.total_requests. Absent while the window is too large for one request and is read in spans.",
		Note: "Not a counter: windows overlap. For rates and increases use `abs_requests_total`.",
	})
	WindowUnattributedRequests = GroupWindow.ofTarget(Family{
		Name: "abs_window_unattributed_requests", Unit: "requests",
		Help: "Requests in the sliding window's summary that no row of the report accounts for.",
		Note: "Above 0, ABS left rows out: its `response_size` is too small for the window, or it reports only some tokens.",
	})
	TokenWindowRequests = GroupWindow.ofTarget(Family{
		Name: "abs_token_window_requests", Unit: "requests", Labels: []string{"token"},
		Help: "Requests of a token in the sliding window. Absent for a token that is not in the window.",
	})
	WindowIPs = GroupWindow.ofTarget(Family{
		Name: "abs_window_ips", Unit: "addresses",
		Help: "Distinct client IP addresses in the sliding window, over all tokens: all but exact up to some thousands, within about 2 % beyond.",
		Note: "At least as many where a row has more than 4,096 addresses: it may be counted with fewer, but not with less than 4,096.",
	})
	TokenWindowIPs = GroupWindow.ofTarget(Family{
		Name: "abs_token_window_ips", Unit: "addresses", Labels: []string{"token"},
		Help: "Distinct client IP addresses of a token in the sliding window: all but exact up to some thousands, within about 2 % beyond. Absent for a token that is not in the window.",
		Note: "One series per tracked token, whatever `--series.dimensions` names. Many addresses on one token may be a stolen one. At least as many where a row has more than 4,096: it may be counted with fewer, but not with less than 4,096.",
	})
	TokenWindowDevices = GroupWindow.ofTarget(Family{
		Name: "abs_token_window_devices", Unit: "devices", Labels: []string{"token"},
		Help: "Distinct devices of a token in the sliding window, as ABS names them: all but exact up to some thousands, within about 2 % beyond. Absent for a token that is not in the window.",
		Note: "One series per tracked token, whatever `--series.dimensions` names. At least as many where a row has more than 4,096 devices, or 256 KiB of their names: it may be counted with fewer.",
	})
	TokenAttackTypes = GroupWindow.ofTarget(Family{
		Name: "abs_token_attack_types", Unit: "attacks", Labels: []string{"token"},
		Help: "Attack types that ABS flags a token for in the sliding window: summary.total_attacks of its forensics. Absent until its forensics were read.",
	})
	TokenAnomalyTypes = GroupWindow.ofTarget(Family{
		Name: "abs_token_anomaly_types", Unit: "anomalies", Labels: []string{"token"},
		Help: "Anomaly types that ABS reports for a token in the sliding window: summary.total_anomalies of its forensics. Absent until its forensics were read.",
	})
	TokenAttackActive = GroupWindow.ofTarget(Family{
		Name: "abs_token_attack_active", Labels: []string{"token", "attack_type", "api"},
		Help: "1 while ABS flags a token for an attack of this type on this API, 0 for one cycle when that ends, else absent.",
		Note: "At most `--series.max-tokens` tokens, and 20 pairs of each; `abs_attack_tokens` and `abs_flagged_tokens` count all.",
	})
	TokenAnomalyActive = GroupWindow.ofTarget(Family{
		Name: "abs_token_anomaly_active", Labels: []string{"token", "anomaly_type", "api"},
		Help: "1 while ABS reports an anomaly of this type on this API for a token, 0 for one cycle when that ends, else absent.",
		Note: "At most `--series.max-tokens` tokens, and 20 pairs of each; `abs_anomaly_tokens` counts all.",
	})
	AttackTokens = GroupWindow.ofTarget(Family{
		Name: "abs_attack_tokens", Unit: "tokens", Labels: []string{"attack_type", "api"},
		Help: "Tokens that ABS flags for an attack of this type on this API now. 0 after the attack; absent if there never was one.",
		Note: "A pair of type and API leaves `--series.expire` after its end.",
	})
	AnomalyTokens = GroupWindow.ofTarget(Family{
		Name: "abs_anomaly_tokens", Unit: "tokens", Labels: []string{"anomaly_type", "api"},
		Help: "Tokens for which ABS reports an anomaly of this type on this API now. 0 after the anomaly; absent if there never was one.",
		Note: "A pair of type and API leaves `--series.expire` after its end.",
	})
	AttackStart = GroupWindow.ofTarget(Family{
		Name: "abs_attack_start_timestamp_seconds", Unit: "seconds", Labels: []string{"attack_type", "api"},
		Help: "When ABS was first seen to flag one of the tokens that it flags now for an attack of this type on this API, in seconds since 1970. Absent while there is none.",
		Note: "The attack began before: ABS is usually half an hour late, and forensics some minutes more.",
	})
	TokenAttackStart = GroupWindow.ofTarget(Family{
		Name: "abs_token_attack_start_timestamp_seconds", Unit: "seconds", Labels: []string{"token", "attack_type", "api"},
		Help: "When ABS was first seen to flag a token for an attack of this type on this API that is still active, in seconds since 1970. Absent while there is none.",
		Note: "At most `--series.max-tokens` tokens, as `abs_token_attack_active`. It survives restarts.",
	})
	FlaggedTokens = GroupWindow.ofTarget(Family{
		Name: "abs_flagged_tokens", Unit: "tokens",
		Help: "Flagged tokens: those with any active attack, each counted once. Anomalies do not count.",
	})
	AttackTypeInfo = GroupWindow.ofTarget(Family{
		Name: "abs_attack_type_info", Labels: []string{"attack_type", "id", "category", "severity"},
		Help: "Always 1: id, category and severity of an attack type. One series for every attack type that any other series names.",
		Note: "Join it to the attack series on `target` and `attack_type` to get the severity.",
	})
)

// ABS's own state: the admin report.
var (
	LicenseInfo = GroupState.ofTarget(Family{
		Name: "abs_license_info", Labels: []string{"tier"},
		Help: "Always 1: the tier of ABS's licence.",
	})
	LicenseExpiry = GroupState.ofTarget(Family{
		Name: "abs_license_expiry_timestamp_seconds", Unit: "seconds",
		Help: "End of ABS's licence, in seconds since 1970. With an invalid licence ABS shuts down.",
	})
	LicenseExpired = GroupState.ofTarget(Family{
		Name: "abs_license_expired",
		Help: "1 if ABS says that its licence has expired, 0 if not.",
	})
	LicenseTransactions = GroupState.ofTarget(Family{
		Name: "abs_license_transactions", Unit: "transactions",
		Help: "Transactions of the current month that ABS's licence counts.",
	})
	LicenseMaxTransactions = GroupState.ofTarget(Family{
		Name: "abs_license_max_transactions", Unit: "transactions",
		Help: "Transactions a month that ABS's licence allows. Absent where ABS says 0: unlimited.",
	})
	AcrossAPIPredictionMode = GroupState.ofTarget(Family{
		Name: "abs_across_api_prediction_mode",
		Help: "1 if ABS detects attacks across APIs, 0 if not.",
	})
	APIPredictionMode = GroupState.ofTarget(Family{
		Name: "abs_api_prediction_mode", Labels: []string{"api"},
		Help: "1 if ABS detects attacks on an API, 0 while it trains for it or was never trained.",
		Note: "At 0, no attack on the API says nothing.",
	})
	APITrainingStart = GroupState.ofTarget(Family{
		Name: "abs_api_training_start_timestamp_seconds", Unit: "seconds", Labels: []string{"api"},
		Help: "When ABS began to train for an API, in seconds since 1970. Absent where it did not.",
	})
	APITraining = GroupState.ofTarget(Family{
		Name: "abs_api_training_seconds", Unit: "seconds", Labels: []string{"api"},
		Help: "How long ABS trains for an API, in seconds. Absent where it does not.",
	})
	APIInfo = GroupState.ofTarget(Family{
		Name: "abs_api_info", Labels: []string{"api", "api_type", "tracks_tokens"},
		Help: "Always 1: the type of an API in ABS, and whether ABS tracks OAuth2 tokens on it.",
		Note: "An API on which no tokens are tracked adds nothing to the token reports.",
	})
	NodeInfo = GroupState.ofTarget(Family{
		Name: "abs_node_info", Labels: []string{"node", "os"},
		Help: "Always 1: the operating system of a node of the ABS cluster.",
	})
	NodeCPUs = GroupState.ofTarget(Family{
		Name: "abs_node_cpus", Unit: "cpus", Labels: []string{"node"},
		Help: "CPUs of a node of the ABS cluster.",
	})
	NodeMemory = GroupState.ofTarget(Family{
		Name: "abs_node_memory_bytes", Unit: "bytes", Labels: []string{"node"},
		Help: "Memory of a node of the ABS cluster, in bytes; ABS rounds it.",
	})
	NodeFilesystemUsed = GroupState.ofTarget(Family{
		Name: "abs_node_filesystem_used_ratio", Scale: 10_000, Labels: []string{"node"},
		Help: "Share of the file system of a node of the ABS cluster that is used, from 0 to 1.",
		Note: "At ABS's `percentage_diskusage_limit` (80 % unless set otherwise) it takes no more logs.",
	})
	MongoDBNodeUp = GroupState.ofTarget(Family{
		Name: "abs_mongodb_node_up", Labels: []string{"node"},
		Help: "1 if ABS reaches a node of its MongoDB, 0 if not. Absent for a state that is not known.",
	})
	TimezoneMismatch = GroupState.ofTarget(Family{
		Name: "abs_server_timezone_mismatch", Labels: []string{"timezone"},
		Help: "1 if the time zone that ABS says it has is not that of --abs.timezone, 0 if it is. Absent where the two cannot be compared.",
		Note: "With the word `local` ABS names no zone.",
	})
)

// The exporter's own health.
var (
	Up = GroupHealth.ofTarget(Family{
		Name: "abs_up",
		Help: "1 if the last cycle read all its reports from ABS, 0 if any failed. Absent until the first cycle has ended.",
	})
	TargetPanics = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_target_panics_total", Unit: "panics",
		Help: "Cycles of a target that a fault of the exporter ended (a panic). After three in a row the target is polled no more.",
		Note: "The target is rebuilt from its saved state, so that nothing is lost or counted twice; without `--state.dir` its counters begin anew at 0. The log has the stack: please report it.",
	})
	CycleDuration = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_cycle_duration_seconds", Unit: "seconds",
		Buckets: []float64{.1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		Help:    "Duration of a cycle in seconds: requests to ABS, counting, saving and publishing.",
		Note:    "Native and classic histogram. Cycles never overlap: one that is longer than `--collect.interval` delays the next.",
	})
	ReportDuration = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_duration_seconds", Unit: "seconds",
		Labels: []string{"report"}, LabelValues: map[string][]string{"report": reports},
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		Help:    "Duration of a request for a report, to its last byte, in seconds; failed requests are included.",
		Note:    "Native and classic histogram. The wait for `--abs.rate` and `--abs.concurrency` is not included.",
	})
	ReportBytes = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_bytes_total", Unit: "bytes", Labels: []string{"report"}, LabelValues: map[string][]string{"report": reports},
		Help: "Bytes of report bodies read from ABS, after decompression.",
	})
	ReportFailures = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_failures_total", Unit: "failures", Labels: []string{"report", "reason"},
		LabelValues: map[string][]string{"report": reports, "reason": reasons},
		Help:        "Requests to ABS that returned no usable report, by reason. A failed report changes no counter of requests.",
		Note:        "All reasons exist from the start, at 0.",
	})
	EmptyReports = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_empty_reports_total", Unit: "reports",
		Labels: []string{"report"}, LabelValues: map[string][]string{"report": reports[:1]},
		Help: "Reports with neither a summary nor rows. Nobody knows whether their windows are empty, so they settle no slot; they are no failures.",
		Note: "If it rises while there is traffic, something answers in place of ABS, or ABS has nothing to report yet.",
	})
	ReportRowsSkipped = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_rows_skipped_total", Unit: "rows", Labels: []string{"report", "reason"},
		LabelValues: map[string][]string{"report": reportsOfRows, "reason": skipReasons},
		Help:        "Rows of reports that could not be read and were left out, each time they were read. Their requests are unattributed.",
		Note: "`token`: the row names no token. `count`: a number of requests is absent, negative, not whole, or past 2^53. `shape`: a " +
			"member is of another type, or comes twice. A report with more than ten such rows that are more than one in ten fails.",
	})
	ReportMismatches = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_mismatches_total", Unit: "reports", Labels: []string{"report", "field"},
		LabelValues: map[string][]string{"report": reportsOfRows, "field": {MismatchDates, MismatchToken}},
		Help:        "Reports that are not about what was asked for: about other dates, or, of forensics, about another token.",
		Note:        "They are counted as they stand: no page of ABS says how it echoes dates and tokens.",
	})
	ReportRepeats = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_repeats_total", Unit: "requests",
		Labels: []string{"report"}, LabelValues: map[string][]string{"report": reports},
		Help: "Requests that were sent a second time, because the reused connection of the first was closed before an answer.",
		Note: "Harmless where ABS, or a proxy before it, closes idle connections. A request is repeated once, within `--abs.rate`.",
	})
	ReportLastSuccess = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_last_success_timestamp_seconds", Unit: "seconds", Labels: []string{"report"}, LabelValues: map[string][]string{"report": reports},
		Help: "Time of the last usable report, in seconds since 1970. Absent until there was one.",
	})
	LastNewRequests = GroupHealth.ofTarget(Family{
		Name: "abs_last_new_requests_timestamp_seconds", Unit: "seconds",
		Help: "Time of the last report with more requests than before, in seconds since 1970. Absent until there was one.",
		Note: "If it stands still although there is traffic, ABS gets no logs: a full disk, or a feed that stopped.",
	})
	CertificateExpiry = GroupHealth.ofTarget(Family{
		Name: "abs_server_certificate_not_after_timestamp_seconds", Unit: "seconds",
		Help: "End of the certificate that ABS showed last, in seconds since 1970, whether it was trusted or not. Absent until it showed one.",
		Note: "Of the connection of the last request: a connection that stays open has the certificate that it began with.",
	})
	ServerClockSkew = GroupHealth.ofTarget(Family{
		Name: "abs_server_clock_skew_seconds", Unit: "seconds",
		Help: "ABS's clock less the exporter's, in seconds: from the header Date of ABS's last answer, to half a second. Absent until an answer has one.",
		Note: "Not the time zone, which the header does not have: for that see `--abs.timezone`. Past a minute the log says so.",
	})
	Slots = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_slots", Unit: "slots", Labels: []string{"state"}, LabelValues: map[string][]string{"state": {SlotOpen, SlotPending}},
		Help: "Slots that are not settled: `open` ones are read again until they are, `pending` ones are still to be read after a pause.",
	})
	MissedSlots = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_missed_slots_total", Unit: "slots", Counted: true,
		Help: "Slots given up because they lay too far back to be read; requests that only they had are not counted.",
		Note: "Further back than `--collect.max-backfill`.",
	})
	UnprovenSlots = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_unproven_slots_total", Unit: "slots", Counted: true,
		Help: "Slots that were read to the end but closed without proof that ABS had all of their requests: no later slot held any in time.",
		Note: "After `--collect.max-backfill`. An idle weekend looks like a feed that stands still, so this is no alarm; what ABS adds later is counted by the audit, under `_other`.",
	})
	RequestDelay = GroupHealth.ofTarget(Family{
		Name: "abs_request_delay_seconds", Unit: "seconds",
		Buckets: []float64{60, 120, 300, 600, 1200, 1800, 2700, 3600, 5400, 7200, 9000, 10800},
		Help:    "Delay from the end of a request's slot until the request was counted, in seconds: one observation per request, 0 before the slot's end.",
		Note:    "Classic histogram only: one commit counts millions of requests at once. It shows how late ABS reports, and so whether `--collect.settle` is long enough.",
	})
	ReportRegressions = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_report_regressions_total", Unit: "readings", Counted: true,
		Help: "Readings in which a slot, or a token with series of its own, had fewer requests than were counted of it before.",
		Note: "ABS took requests back. No counter falls for it, and what ABS reports again is not counted twice.",
	})
	AuditMissing = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_audit_missing_requests", Unit: "requests",
		Help: "Requests that the last audit found in ABS and not in the counters. Absent until the first audit.",
		Note: "They came after their slots had settled, and are counted now, under `token=\"_other\"`.",
	})
	AuditSurplus = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_audit_surplus_requests", Unit: "requests",
		Help: "Requests that the last audit found in the counters and not in ABS. Absent until the first audit.",
		Note: "ABS took them back; no counter falls. Each slot is audited twice, so that they show in two audits.",
	})
	ForensicsTokens = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_forensics_tokens", Unit: "tokens", Labels: []string{"state"}, LabelValues: map[string][]string{
			"state": {ForensicsDue, ForensicsCovered, ForensicsSkipped, ForensicsFailed},
		},
		Help: "Tokens of the sliding window by the state of their forensics, each in one state.",
		Note: "`covered`: answered since the window report before the last one; `failed`: the last call failed; `skipped`: ABS does not accept calls about it; `due`: all others. The sum is the number of tokens in the window.",
	})
	ForensicsOldestAge = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_forensics_oldest_age_seconds", Unit: "seconds",
		Help: "Age of the oldest forensics report in use, in seconds, over the tokens that stayed in the window. Absent until each of them has one.",
	})
	FindingsOverflow = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_findings_overflow_total", Unit: "findings", Counted: true,
		Help: "Findings in answers of ABS that share _other with others, or are only counted here, because of the limits of findings.",
		Note: "See [limits](forensics.md#limits). An answer with so many types, APIs or tokens is more likely wrong, or made by a client, than true. It stays at 0 otherwise.",
	})
	SeriesOverflow = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_series_overflow_requests_total", Unit: "requests", Counted: true, Labels: []string{"dimension"},
		LabelValues: map[string][]string{
			"dimension": {DimensionToken, DimensionMethod, DimensionAPI, DimensionDevice, DimensionIP, DimensionURL},
		},
		Help: "Requests counted under the value _other because the label's series were all taken.",
		Note: "See `--series.max-tokens`, `--series.max-values` and `--series.max-values-of`. Not those of values without series by choice, such as `--series.deny-apis`.",
	})
	StateSaveFailures = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_state_save_failures_total", Unit: "failures",
		Help: "Failed saves of the state. While saving fails, counters stand still and nothing is lost.",
	})
	StateLastSave = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_state_last_save_timestamp_seconds", Unit: "seconds",
		Help: "Time of the last save of the state, in seconds since 1970. Absent until the first one, and while state is kept in memory only.",
	})
	LogLinesDropped = GroupHealth.family(Family{
		Name: "abs_exporter_log_lines_dropped_total", Unit: "lines",
		Help: "Lines of the log that were dropped, as nobody read it for long or it could not be written.",
		Note: "A megabyte of lines waits for a slow reader. It is about the process and has no `target`. Counting and serving go on.",
	})
	ReloadSuccessful = GroupHealth.family(Family{
		Name: "abs_exporter_config_last_reload_successful",
		Help: "1 if the configuration was usable when it was last read, at the start or by a reload, else 0.",
		Note: "At 0 the former configuration is in effect, and the log says what is wrong. It is about the process and has no `target`.",
	})
	ReloadSuccess = GroupHealth.family(Family{
		Name: "abs_exporter_config_last_reload_success_timestamp_seconds", Unit: "seconds",
		Help: "Time at which the configuration that is in effect was read, in seconds since 1970.",
		Note: "It is about the process and has no `target`.",
	})
	ConfigSeconds = GroupHealth.ofTarget(Family{
		Name: "abs_exporter_config_seconds", Unit: "seconds", Labels: []string{"setting"}, LabelValues: map[string][]string{
			"setting": {SettingInterval, SettingSlot, SettingReread, SettingSettle, SettingWindow, SettingExpire},
		},
		Help: "Durations that the exporter is configured with, in seconds.",
		Note: "`--series.expire` for `expire`, `--collect.` and the name for the others. Dashboards draw them as limits.",
	})
	BuildInfo = GroupHealth.family(Family{
		Name: "abs_exporter_build_info", Labels: []string{"version", "revision", "goversion"},
		Help: "Always 1: the exporter's version, commit and Go version.",
		Note: "It is about the process and has no `target`.",
	})
)

// The outcome of OTLP pushes. They are about the process, as BuildInfo is, and exist only while
// pushing is on.
var (
	OTLPRequests = GroupPush.family(Family{
		Name: "abs_exporter_otlp_requests_total", Unit: "requests", Stability: Experimental, Labels: []string{"signal", "outcome"},
		LabelValues: map[string][]string{
			"signal":  {SignalMetrics, SignalLogs},
			"outcome": {OutcomeSuccess, OutcomePartial, OutcomeFailure},
		},
		Help: "Requests to the OTLP receiver, by outcome.",
		Note: "`partial`: the receiver accepted the request and refused some of it. A failed push of metrics loses nothing that lasts: sums are cumulative, and the next push contains them.",
	})
	OTLPDropped = GroupPush.family(Family{
		Name: "abs_exporter_otlp_dropped_total", Unit: "records", Stability: Experimental, Labels: []string{"signal"}, LabelValues: map[string][]string{"signal": {SignalMetrics, SignalLogs}},
		Help: "Points of metrics that the OTLP receiver refused permanently, and log records that it refused or that the full queue dropped.",
	})
	OTLPLastSuccess = GroupPush.family(Family{
		Name: "abs_exporter_otlp_last_success_timestamp_seconds", Unit: "seconds", Stability: Experimental, Labels: []string{"signal"}, LabelValues: map[string][]string{"signal": {SignalMetrics, SignalLogs}},
		Help: "Time at which the OTLP receiver last accepted everything that was to be pushed, in seconds since 1970. Absent until then.",
	})
)

// Table returns the one table of metrics: every abs_* family, in the order in which they are
// exposed and documented. A family that is not in it is not served. The families are shared; only
// the slice is the caller's.
func Table() []*Family {
	return []*Family{
		Requests, TokenRequests, TokenMethodRequests, TokenAPIRequests, TokenDeviceRequests, TokenIPRequests, TokenURLRequests,
		MethodRequests, APIRequests, DeviceRequests, URLRequests, AttackDetections, AnomalyDetections,

		WindowSeconds, WindowTokens, WindowRequests, WindowUnattributedRequests, WindowIPs, TokenWindowRequests,
		TokenWindowIPs, TokenWindowDevices, TokenAttackTypes, TokenAnomalyTypes, TokenAttackActive, TokenAnomalyActive, TokenAttackStart,
		AttackTokens, AnomalyTokens, AttackStart, FlaggedTokens,
		AttackTypeInfo,

		LicenseInfo, LicenseExpiry, LicenseExpired, LicenseTransactions, LicenseMaxTransactions,
		AcrossAPIPredictionMode, APIPredictionMode, APITrainingStart, APITraining, APIInfo,
		NodeInfo, NodeCPUs, NodeMemory, NodeFilesystemUsed, MongoDBNodeUp, TimezoneMismatch,

		Up, TargetPanics, CycleDuration, ReportDuration, ReportBytes, ReportFailures, EmptyReports, ReportRowsSkipped,
		ReportMismatches, ReportRepeats, ReportLastSuccess, LastNewRequests, CertificateExpiry, ServerClockSkew,
		Slots, MissedSlots, UnprovenSlots, RequestDelay, ReportRegressions, AuditMissing, AuditSurplus, ForensicsTokens, ForensicsOldestAge,
		SeriesOverflow, FindingsOverflow, StateSaveFailures, StateLastSave, LogLinesDropped,
		ReloadSuccessful, ReloadSuccess, ConfigSeconds, BuildInfo,

		OTLPRequests, OTLPDropped, OTLPLastSuccess,
	}
}
