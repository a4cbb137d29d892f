package alerts

import "slices"

// Threshold is a number that alert rules and dashboards judge by.
type Threshold struct {
	Name  string // the series that thresholds.rules.yml records
	Value float64
	Unit  string // of the value
	Help  string // who compares with it, and what the value says; the file's comment
}

// Units of thresholds.
const (
	Seconds  = "seconds"
	Ratio    = "ratio"
	Requests = "requests"
	Tokens   = "tokens"
	Restarts = "restarts"
	Types    = "types"   // of attacks
	Windows  = "windows" // lengths of --collect.window
)

// Thresholds returns all thresholds in the order of thresholds.rules.yml, which is made from them.
func Thresholds() []Threshold {
	return []Threshold{
		{
			"abs:threshold_unreachable_seconds", 1500, Seconds,
			"ABSUnreachable: seconds without a usable report; it pages 5 minutes later. ABS is as late itself, and nothing is " +
				"lost. Keep it above three times --collect.interval.",
		},
		{
			"abs:threshold_report_stale_seconds", 1200, Seconds,
			"ABSReportStale, ABSStateStale, ABSLicenseExpired: seconds since the last success of a report. " +
				"Keep it above three times --admin.interval.",
		},
		{
			"abs:threshold_no_new_requests_seconds", 7200, Seconds,
			"ABSNoNewRequests: seconds in which ABS reported no new request, at a time that is not quiet anyway. ABS is " +
				"usually up to half an hour late, 2 hours at worst.",
		},
		{
			"abs:threshold_usual_requests", 10, Requests,
			"ABSNoNewRequests: a time is quiet if a week ago, or a day ago where nothing is known of that week, fewer " +
				"requests than this were made in an hour.",
		},
		{
			"abs:threshold_no_new_requests_max_seconds", 259200, Seconds,
			"ABSNoNewRequests: seconds without a new request after which it pages at any time. Longer than a weekend (3 days).",
		},
		{
			"abs:threshold_api_traffic_ratio", 3, Ratio,
			"ABSAPITrafficHigh: an API exceeds its busiest hours of the last week (their 99th percentile) by this factor " +
				"and has at least as many requests as the next threshold.",
		},
		{
			"abs:threshold_api_traffic_min_requests", 1000, Requests,
			"ABSAPITrafficHigh: requests of an API in an hour.",
		},
		{
			"abs:threshold_api_silent_requests", 100, Requests,
			"ABSAPISilent: requests of an API in an hour, a day ago and a week ago, above which no request in two hours is " +
				"silence.",
		},
		{
			"abs:threshold_spreading_tokens", 10, Tokens,
			"ABSAttackSpreading: tokens that are flagged for one attack type on one API, if they also exceed the next threshold.",
		},
		{
			"abs:threshold_spreading_ratio", 5, Ratio,
			"ABSAttackSpreading: how many times as many tokens as an hour ago. None an hour ago counts as 0.",
		},
		{
			"abs:threshold_flagged_tokens", 50, Tokens,
			"ABSAttackSpreading: more tokens than this are flagged for attacks of any type, if they also exceed the next threshold.",
		},
		{
			"abs:threshold_flagged_ratio", 0.01, Ratio,
			"ABSAttackSpreading: share of the window's tokens that is flagged.",
		},
		{
			"abs:threshold_token_attack_types", 3, Types,
			"ABSAttackManyTypes: attack types for which one token is flagged at once.",
		},
		{
			"abs:threshold_untracked_flagged_tokens", 0, Tokens,
			"ABSAttackTokensUntracked: flagged tokens that may be without series of their own. " +
				"Raise it if --series.max-tokens is less than attacks have tokens, and is to stay so.",
		},
		{
			"abs:threshold_anomaly_tokens", 5, Tokens,
			"ABSAnomalies: more tokens than this show the same anomaly on one API at once. A single one says little: " +
				"an anomaly resembles an attack type but stays below ABS's threshold. Many at once may be one attack, " +
				"spread over many tokens.",
		},
		{
			"abs:threshold_unattributed_ratio", 0.01, Ratio,
			"ABSRequestsUnattributed: share of the requests in the window's summary that no row accounts for.",
		},
		{
			"abs:threshold_audit_difference_ratio", 0.001, Ratio,
			"ABSAuditDifference: what the last audit may find missing, and surplus, as a share of a day's requests.",
		},
		{
			"abs:threshold_forensics_windows", 1.5, Windows,
			"ABSForensicsBehind: how old a forensics answer may be, in lengths of the sliding window (--collect.window). " +
				"Above 1 an attack can leave the window between two calls about its token, and is then never seen. At 1.5 " +
				"that is a third of the tokens; with 100,000 of them it is usually about 1.",
		},
		{
			"abs:threshold_token_overflow_ratio", 0.5, Ratio,
			"ABSSeriesOverflow: share of the requests that may be counted under token=\"_other\" because all series of " +
				"the label are in use. --series.max-tokens is usually less than the number of tokens, so this notifies nobody.",
		},
		{
			"abs:threshold_value_overflow_ratio", 0.05, Ratio,
			"ABSSeriesOverflow: the same share for method, api, device and ip. --series.max-values is usually more than " +
				"the number of their values.",
		},
		{
			"abs:threshold_state_save_seconds", 600, Seconds,
			"ABSStateNotSaved: seconds without a save while saves fail.",
		},
		{
			"abs:threshold_cycle_ratio", 1.25, Ratio,
			"ABSCyclesSlow: how long a cycle may last on average, in lengths of --collect.interval. From 1.25 on the next " +
				"cycle is left out.",
		},
		{
			"abs:threshold_restarts", 2, Restarts,
			"ABSExporterRestarting: restarts of an exporter in an hour.",
		},
		{
			"abs:threshold_push_seconds", 900, Seconds,
			"ABSPushFailing: seconds without a push that the OTLP receiver accepted whole, while pushes fail.",
		},
		{
			"abs:threshold_license_warning_seconds", 2592000, Seconds,
			"ABSLicenseExpiring: seconds until the end of ABS's licence, for a ticket (30 days).",
		},
		{
			"abs:threshold_license_critical_seconds", 604800, Seconds,
			"ABSLicenseExpiring: seconds until the end of ABS's licence, for a page (7 days).",
		},
		{
			"abs:threshold_transactions_ratio", 0.9, Ratio,
			"ABSTransactionsHigh: share of the month's transactions.",
		},
		{
			"abs:threshold_certificate_seconds", 1814400, Seconds,
			"ABSCertificateExpiring: seconds until the end of ABS's certificate (21 days).",
		},
		{
			"abs:threshold_clock_skew_seconds", 60, Seconds,
			"ABSClockSkew: seconds between the clocks of ABS and of the exporter.",
		},
		{
			"abs:threshold_filesystem_ratio", 0.85, Ratio,
			"ABSNodeDiskFull: share of a node's file system. At ABS's percentage_diskusage_limit (0.8) it takes no more logs.",
		},
	}
}

// FindThreshold returns the threshold that a series records.
func FindThreshold(name string) (Threshold, bool) {
	all := Thresholds()
	i := slices.IndexFunc(all, func(t Threshold) bool { return t.Name == name })
	if i < 0 {
		return Threshold{}, false
	}
	return all[i], true
}
