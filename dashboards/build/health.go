package build

import (
	"fmt"
	"strconv"
)

// ofExporter restricts the metrics of client_golang to processes of abs-exporter.
const ofExporter = " and on (job, instance) abs_exporter_build_info"

// running has a value for as long as an exporter runs.
const running = `count(abs_exporter_slots{` + target + `, state="open"})`

func number1(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// age is how long ago something was, by target.
func age(metric, matchers string) string {
	return "(time() - " + gauge("target", metric, matchers) + ")"
}

// remaining is how long it is until something ends, by target.
func remaining(metric string) string { return "(" + gauge("target", metric, target) + " - time())" }

// health returns the dashboard for those who run the exporter: whether what it shows can be relied
// on.
func health() *Dashboard {
	return dashboard(HealthUID, "ABS: the exporter's health",
		"Whether abs-exporter gets its reports from ABS and counts everything.",
		[]Variable{datasourceVariable(), targetVariable(), rangeVariable()}, interruptions(),

		blindTargets(),
		dataAge().wide(3),
		stat("Age of new requests", "How long ago a report last had more requests than before, at the target where it is longest. Standing still while there is traffic, ABS gets no logs: a full disk, or a feed that stopped.",
			"s", steps(colourGood, limit("no_new_requests_seconds"), colourWarning, limit("no_new_requests_max_seconds"), colourCritical), query{complete("max", age("abs_last_new_requests_timestamp_seconds", target)), ""}).wide(3),
		stat("Missed slots", "Slots of the last two days given up because they lay too far back: requests that only they contain are not counted.",
			"short", steps(colourGood, 1, colourWarning), query{complete("max", live(missedSlots())), ""}).wide(3),
		stat("Audit difference", "Requests that the last audit found in ABS and not in the counters, or the other way round, as a share of a day's requests, at the target where it is largest.",
			"percentunit", steps(colourGood, limit("audit_difference_ratio"), colourWarning), query{or("max("+auditDifference()+")", "NaN * "+running), ""}).
			otherwise("no audit yet").wide(3),
		stat("Age of the state", "How long ago the state was last saved, at the target where it is longest.",
			"s", steps(colourGood, limit("state_save_seconds"), colourWarning), query{or("max("+age("abs_exporter_state_last_save_timestamp_seconds", target)+")", "NaN * "+running), ""}).
			otherwise("in memory only").wide(3),
		stat("Forensics in time", "How old the oldest forensics answer in use is, as a share of the sliding window, at the target where it is largest. Above 100 % an attack can pass unseen.",
			"percentunit", steps(colourGood, limit("forensics_windows"), colourWarning), query{or("max("+forensicsWindows()+")", "NaN * "+running), ""}).
			otherwise("first round").wide(3),
		stat("Clock of ABS", "How far the clocks of ABS and of the exporter are apart, at the target where it is most.",
			"s", steps(colourGood, limit("clock_skew_seconds"), colourWarning), query{complete("max", clockSkew()), ""}).wide(3),

		firing(),
		targets(),

		row("ABS itself"),
		stat("Licence ends in", "How long ABS's licence lasts, at the target where it is shortest. With an invalid licence ABS shuts down.",
			"s", steps(colourCritical, limit("license_critical_seconds"), colourWarning, limit("license_warning_seconds"), colourGood),
			query{complete("min", remaining("abs_license_expiry_timestamp_seconds")), ""}),
		stat("Licence expired", "Whether ABS says at any target that its licence has expired.", "none", steps(colourGood, 1, colourCritical),
			query{complete("max", gauge("target", "abs_license_expired", target)), ""}).judged(values("no", colourGood, "yes", colourCritical)),
		stat("Licence used this month", "Share of the month's transactions that ABS's licence allows, at the target where it is largest.",
			"percentunit", steps(colourGood, limit("transactions_ratio"), colourWarning),
			query{or("max("+gauge("target", "abs_license_transactions", target)+"\n  / on (target) "+gauge("target", "abs_license_max_transactions", target)+")",
				"NaN * "+complete("count", gauge("target", "abs_license_transactions", target))), ""}).
			otherwise("unlimited"),
		stat("Fullest file system", "Of the nodes of ABS. At percentage_diskusage_limit (80 % unless set otherwise) ABS takes no more logs.",
			"percentunit", steps(colourGood, limit("filesystem_ratio"), colourCritical),
			query{complete("max", gauge("target, node", "abs_node_filesystem_used_ratio", target)), ""}),
		stat("Certificate ends in", "How long the certificate lasts that ABS showed last, at the target where it is shortest.",
			"s", steps(colourWarning, limit("certificate_seconds"), colourGood),
			query{complete("min", remaining("abs_server_certificate_not_after_timestamp_seconds")), ""}),
		stat("Time zone", "Whether the zone that ABS says it has is --abs.timezone. With another one every window is shifted by hours.", "none", steps(colourGood, 1, colourCritical),
			query{or("max("+gauge("target", "abs_server_timezone_mismatch", target)+")", "NaN * "+running), ""}).otherwise("not known").
			judged(values("right", colourGood, "wrong", colourCritical)),
		table("Nodes of ABS", "The nodes of ABS's cluster in the last day, and those of its MongoDB.", 12, 7,
			[]column{{"node", "Node"}, {"Value #A", "In the cluster"}, {"Value #B", "File system"}, {"Value #C", "CPUs"}, {"Value #D", "Memory"}, {"Value #E", "MongoDB"}, {"target", "Target"}},
			query{"group by (target, node) (" + where("abs_node_info", target) + ")\nor 0 * group by (target, node) (last_over_time(" + where("abs_node_info", target) + "[1d]))", ""},
			query{gauge("target, node", "abs_node_filesystem_used_ratio", target), ""},
			query{gauge("target, node", "abs_node_cpus", target), ""},
			query{gauge("target, node", "abs_node_memory_bytes", target), ""},
			query{"min by (target, node) (" + where("abs_mongodb_node_up", target) + ")", ""},
		).with("noValue", "–").column("In the cluster", yesNo("gone", colourWarning, "yes", colourGood)...).column("MongoDB", yesNo("down", colourWarning, "up", colourGood)...).
			column("File system", limited("percentunit", colourGood, limit("filesystem_ratio"), colourCritical)...).column("CPUs", number(70)...).
			column("Memory", object{"id": "unit", "value": "bytes"}),
		table("Licences", "The tier of each ABS's licence, its end, the transactions of this month, and whether ABS detects attacks across APIs.", 12, 7,
			[]column{{"target", "Target"}, {"tier", "Tier"}, {"Value #B", "Ends"}, {"Value #C", "Transactions"}, {"Value #D", "Of at most"}, {"Value #E", "Attacks across APIs"}, {"Value #A", ""}},
			query{gauge("target, tier", "abs_license_info", target), ""},
			query{"1000 * " + gauge("target", "abs_license_expiry_timestamp_seconds", target), ""},
			query{gauge("target", "abs_license_transactions", target), ""},
			query{gauge("target", "abs_license_max_transactions", target) + "\nor on (target) NaN * " + gauge("target", "abs_license_transactions", target), ""},
			query{gauge("target", "abs_across_api_prediction_mode", target), ""},
		).column("Ends", date("dateTimeAsIso", 170)...).column("Transactions", number(110)...).
			column("Of at most", append(number(110), object{"id": "mappings", "value": []object{special("nan", 0, "unlimited", "text")}})...).
			column("Attacks across APIs", yesNo("not detected", colourWarning, "detected", colourGood)...),
		training("target, api", target),

		row("Asking ABS"),
		gains("Failed calls by reason", "Calls to ABS without a usable report: keys refused (auth), no answer in time (timeout), no connection or TLS (connection), another HTTP status (status), "+
			"a body that is no such report (decode) or too large (size), anything else (other). A failed call changes no counter of requests.", "short", 12, 8,
			query{gain("reason", "abs_exporter_report_failures_total", target), "{{reason}}"}).painted(reasons()),
		gains("Failed calls by report", "The same by report: token metrics (oauthtokens), one token (forensics), the attack reports (attacklist, attack), and ABS's own state (admin).", "short", 12, 8,
			query{gain("report", "abs_exporter_report_failures_total", target), "{{report}}"}).painted(reports()),
		lines("Age of each report", "How long ago ABS last answered with a usable report. The limit is that of ABSReportStale.", "s", 8, 8,
			query{"max by (report) (time() - " + gauge("target, report", "abs_exporter_report_last_success_timestamp_seconds", target) + ")", "{{report}}"},
			query{number1(limit("report_stale_seconds")) + " + 0 * " + running, "limit"}).painted(reports()).limited(),
		gains("Calls by report", "Calls to ABS, failed ones too, by report.", "short", 8, 8,
			query{gain("report", "abs_exporter_report_duration_seconds_count", target), "{{report}}"}).painted(reports()),
		lines("How long ABS takes, 9 of 10 calls", "Nine in ten calls were answered to the last byte within this.", "s", 8, 8,
			query{"histogram_quantile(0.9, " + gain("report, le", "abs_exporter_report_duration_seconds_bucket", target) + ")", "{{report}}"}).overTime().painted(reports()),
		gains("Bytes read", "Bytes of reports read from ABS, after decompression.", "bytes", 8, 8,
			query{gain("report", "abs_exporter_report_bytes_total", target), "{{report}}"}).painted(reports()),
		gains("Odd answers", "Reports that were read all the same: empty ones, rows that were left out, reports about other dates or another token, and requests that were sent twice.", "short", 8, 8,
			query{gain("", "abs_exporter_empty_reports_total", target), "empty"}, query{gain("", "abs_exporter_report_rows_skipped_total", target), "rows left out"},
			query{gain("", "abs_exporter_report_mismatches_total", target), "about something else"}, query{gain("", "abs_exporter_report_repeats_total", target), "sent twice"}).
			painted(categorised("empty", "rows left out", "about something else", "sent twice")),
		lines("How long a cycle takes", "Asking ABS, counting, saving and publishing. One that outlasts the limit, --collect.interval, holds up the next.", "s", 8, 8,
			append(quantiles("abs_exporter_cycle_duration_seconds", target), setting("interval"))...).overTime().painted(percentiles()).limited(),

		row("Counting"),
		heatmap("How late requests are reported", "How long after its slot's end a request was counted, a row for each span of delays; the darker, the more requests. In numbers it is beside this.", "locale", 12, 8,
			query{gain("le", "abs_request_delay_seconds_bucket", target), "{{le}}"}),
		lines("How late requests are reported, in numbers", "Where the line of 99 in 100 approaches the limit, --collect.settle, that is too short.", "s", 12, 8,
			append(quantiles("abs_request_delay_seconds", target), setting("settle"))...).overTime().painted(percentiles()).limited(),
		lines("Slots that are not settled", "Open slots are read again until they are settled; pending ones are still to be read after a pause, and until then increases are incomplete.", "short", 8, 8,
			query{"sum by (state) (" + gauge("target, state", "abs_exporter_slots", target) + ")", "{{state}}"}).painted(slotStates()),
		gains("What counting met", "Readings in which ABS reported fewer requests than before, slots that were given up, and slots that closed without proof that they were whole. Counters never fall.", "short", 8, 8,
			query{gain("", "abs_exporter_report_regressions_total", target), "readings that fell"}, query{gain("", "abs_exporter_missed_slots_total", target), "missed slots"},
			query{gain("", "abs_exporter_unproven_slots_total", target), "unproven slots"}).painted(categorised("readings that fell", "missed slots", "unproven slots")),
		lines("Requests that no row has", "Requests in the summary of the window's report that no row accounts for, and all of them: ABS left rows out.", "short", 8, 8,
			query{"sum(" + gauge("target", "abs_window_unattributed_requests", target) + ")", "unattributed"},
			query{"sum(" + gauge("target", "abs_window_requests", target) + ")", "all"}).painted(categorised("all", "unattributed")),
		lines("The window", "Tokens and distinct addresses in ABS's sliding window.", "short", 8, 8,
			query{"sum(" + gauge("target", "abs_window_tokens", target) + ")", "tokens"}, query{"sum(" + gauge("target", "abs_window_ips", target) + ")", "addresses"}).painted(categorised("tokens", "addresses")),

		row("Forensics and series"),
		lines("Tokens by state of forensics", "Tokens of the sliding window, each in one state: answered since the window report before the last one (covered), failed when last asked about, skipped because ABS refuses the request, or none of these (due).", "short", 8, 8,
			query{"sum by (state) (" + gauge("target, state", "abs_exporter_forensics_tokens", target) + ")", "{{state}}"}).painted(forensicsStates()),
		lines("How old a forensics report can be", "Since when forensics of every token that stayed in the window was read, at the target where it is longest ago. Above the limit, the window's length, raise --forensics.rate.", "s", 8, 8,
			query{"max(" + gauge("target", "abs_exporter_forensics_oldest_age_seconds", target) + ")", "oldest"},
			query{number1(limit("forensics_windows")) + " * min(" + where("abs_window_seconds", target) + ")", "limit"}).limited(),
		lines("Share of requests under _other", "Share of the requests counted under _other because the label's series were all in use: see --series.max-tokens and --series.max-values.", "percentunit", 8, 8,
			query{gain("dimension", "abs_exporter_series_overflow_requests_total", target) + "\n/ on () group_left () " + gain("", "abs_requests_total", target), "{{dimension}}"}).overTime().painted(dimensions()),

		row("The process"),
		gains("Saves that failed", "Saves of the state that failed. While saving fails, counters stand still and nothing is lost.", "short", 8, 8,
			query{gain("target", "abs_exporter_state_save_failures_total", target), "{{target}}"}),
		gains("Faults", "Cycles that a fault of the exporter ended, findings past the limits, and lines of the log that nobody read.", "short", 8, 8,
			query{gain("", "abs_exporter_target_panics_total", target), "cycles"}, query{gain("", "abs_exporter_findings_overflow_total", target), "findings"},
			query{gain("", "abs_exporter_log_lines_dropped_total", ""), "log lines"}).painted(categorised("cycles", "findings", "log lines")),
		gains("Pushes over OTLP by outcome", "Requests to the OTLP receiver, while pushing is on.", "short", 8, 8,
			query{or(gain("outcome", "abs_exporter_otlp_requests_total", ""), "0 * "+running, "outcome", "pushing is off"), "{{outcome}}"}).painted(outcomes()),
		lines("Last success of OTLP", "How long ago the receiver last accepted everything, by signal.", "s", 8, 8,
			query{or("time() - "+gauge("signal", "abs_exporter_otlp_last_success_timestamp_seconds", ""), "0 * "+running, "signal", "pushing is off"), "{{signal}}"}).painted(categorised("metrics", "logs")),
		gains("Lost over OTLP", "Points and log records that the receiver refused for good, or that the full queue dropped.", "short", 8, 8,
			query{or(gain("signal", "abs_exporter_otlp_dropped_total", ""), "0 * "+running, "signal", "pushing is off"), "{{signal}}"}).painted(categorised("metrics", "logs")),
		lines("Memory", "Resident memory of the processes.", "bytes", 8, 8,
			query{"process_resident_memory_bytes" + ofExporter, "{{instance}}"}),
		lines("Processor time, of one core", "How much of one core the processes use, over five minutes before. Above 100 %, it is more than one.", "percentunit", 8, 8,
			query{"rate(process_cpu_seconds_total[5m])" + ofExporter, "{{instance}}"}),
		stat("Last reload", "Whether each exporter could use its configuration when it last read it. If not, the former one is in effect.", "none", steps(colourWarning, 1, colourGood),
			query{or("min(abs_exporter_config_last_reload_successful)", "NaN * "+running), ""}).otherwise("not known").
			judged(values("failed", colourWarning, "good", colourGood)),
		scrapes(),
	)
}

func missedSlots() string {
	return "round(" + increaseOver("target", "abs_exporter_missed_slots_total", target, "[2d]") + ")"
}

func auditDifference() string {
	missing, surplus := ofDay("abs_exporter_audit_missing_requests"), ofDay("abs_exporter_audit_surplus_requests")
	return missing + "\n  >= on (target) " + surplus + "\n  or " + surplus
}

// ofDay is a number of requests as a share of a day's.
func ofDay(metric string) string {
	return gauge("target", metric, target) + " / on (target) " + increaseOver("target", "abs_requests_total", target, "[1d]")
}

func unattributed() string {
	return gauge("target", "abs_window_unattributed_requests", target) + " / on (target) " + gauge("target", "abs_window_requests", target)
}

func forensicsWindows() string {
	return gauge("target", "abs_exporter_forensics_oldest_age_seconds", target) + "\n  / on (target) max by (target) (last_over_time(" + where("abs_window_seconds", target) + "[1d]))"
}

func clockSkew() string {
	return "abs(" + gauge("target", "abs_server_clock_skew_seconds", target) + ")"
}

// firing lists the alerts of this exporter that fire.
func firing() *Panel {
	const matchers = `alertname=~"ABS.+", alertname!="ABSWatchdog", alertstate="firing", target=~"$target|"`
	return table("Firing alerts", "The alerts of the rules that come with abs-exporter, if this Prometheus evaluates them: also those without a target, not ABSWatchdog, which always fires.", 7, 9,
		[]column{{"Value", "Severity"}, {"alertname", "Alert"}, {"target", "Target"}},
		query{long(
			"max by (alertname, target) ("+ranks("ALERTS", matchers, func(s string) string { return s })+")",
			"or on () "+labelled("0 * count(abs:threshold_unreachable_seconds)", "alertname", "none"),
			"or on () "+labelled(fmt.Sprintf("0 * %s + %d", running, rankBlind), "alertname", "the alert rules are not loaded")), ""},
	).column("Severity", severityColumn()...).with("noValue", "–")
}

// targets lists the targets of the last day, with what can be relied on of each.
func targets() *Panel {
	return table("Targets", "Every target of the last day. A blind one is one of which nobody knows whether it is attacked. What the audit and the window's summary miss are shares of a day's and of the window's requests, forensics one of the window's length.", 17, 9,
		[]column{
			{"target", "Target"},
			{"Value #A", "Attacks"},
			{"Value #B", "ABS answers"},
			{"Value #C", "Data age"},
			{"Value #D", "New requests"},
			{"Value #E", "Pending slots"},
			{"Value #F", "Missed slots"},
			{"Value #G", "Audit: missing"},
			{"Value #H", "Surplus"},
			{"Value #I", "Unattributed"},
			{"Value #J", "Forensics"},
			{"Value #K", "Clock"},
		},
		query{"0 * " + blind() + "\nor " + watched(), ""},
		query{gauge("target", "abs_up", target), ""},
		query{age("abs_exporter_report_last_success_timestamp_seconds", target+`, report="oauthtokens"`), ""},
		query{age("abs_last_new_requests_timestamp_seconds", target), ""},
		query{gauge("target", "abs_exporter_slots", target+`, state="pending"`), ""},
		query{missedSlots(), ""},
		query{ofDay("abs_exporter_audit_missing_requests"), ""},
		query{ofDay("abs_exporter_audit_surplus_requests"), ""},
		query{unattributed(), ""},
		query{forensicsWindows(), ""},
		query{gauge("target", "abs_server_clock_skew_seconds", target), ""},
	).column("Attacks", yesNo("blind", colourBlind, "seen", colourGood)...).column("ABS answers", yesNo("no", colourCritical, "yes", colourGood)...).
		column("Data age", limited("s", colourGood, limit("unreachable_seconds"), colourCritical)...).
		column("New requests", limited("s", colourGood, limit("no_new_requests_seconds"), colourWarning)...).
		column("Pending slots", limited("locale", colourGood, 1, colourWarning)...).
		column("Missed slots", limited("locale", colourGood, 1, colourWarning)...).
		column("Audit: missing", limited("percentunit", colourGood, limit("audit_difference_ratio"), colourWarning)...).
		column("Surplus", limited("percentunit", colourGood, limit("audit_difference_ratio"), colourWarning)...).
		column("Unattributed", limited("percentunit", colourGood, limit("unattributed_ratio"), colourWarning)...).
		column("Forensics", limited("percentunit", colourGood, limit("forensics_windows"), colourWarning)...).
		column("Clock", object{"id": "unit", "value": "s"})
}

// scrapes lists the processes of the last day.
func scrapes() *Panel {
	const keys = "instance, job"
	pushed := func(metric string) string {
		return "max by (" + keys + ") (" + metric + " and on (job, instance) last_over_time(abs_exporter_build_info[1d]))" +
			"\nor NaN * max by (" + keys + ") (abs_exporter_build_info)"
	}
	return table("Processes and scrapes", "The exporters of the last day: whether the last scrape of each succeeded, how long it took, and how many series it had.", 24, 6,
		[]column{
			{"instance", "Instance"},
			{"job", "Job"},
			{"Value #A", "Scrape"},
			{"Value #B", "Takes"},
			{"Value #C", "Series"},
			{"Value #D", "Started"},
			{"version", "Version"},
			{"revision", "Commit"},
			{"goversion", "Go"},
			{"Value #E", ""},
		},
		query{pushed("up"), ""}, query{pushed("scrape_duration_seconds"), ""}, query{pushed("scrape_samples_scraped"), ""},
		query{"1000 * max by (" + keys + ") (process_start_time_seconds" + ofExporter + ")", ""},
		query{"max by (" + keys + ", version, revision, goversion) (abs_exporter_build_info)", ""},
	).column("Scrape", append(yesNo("failed", colourCritical, "succeeded", colourGood)[:4], object{"id": "mappings", "value": []object{
		values("failed", colourCritical, "succeeded", colourGood), special("nan", 2, "pushed", colourNothing),
	}})...).column("Takes", object{"id": "unit", "value": "s"}, object{"id": "mappings", "value": []object{special("nan", 0, "–", "text")}}).
		column("Series", append(number(90), object{"id": "mappings", "value": []object{special("nan", 0, "–", "text")}})...).column("Started", date("dateTimeAsIso", 170)...)
}
