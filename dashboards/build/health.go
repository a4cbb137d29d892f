package build

// ofExporter restricts the metrics of client_golang to processes of abs-exporter.
const ofExporter = "\n  and on (job, instance) abs_exporter_build_info"

// running has a value for as long as an exporter runs.
const running = `count(abs_up{` + target + `})`

// health returns the dashboard for those who run the exporter: whether what it shows can be relied
// on.
func health() *Dashboard {
	age := func(metric, matchers string) string {
		return "max(time() - " + gauge("target", metric, matchers) + ")"
	}
	return dashboard(HealthUID, "ABS: the exporter's health",
		"Whether abs-exporter gets its reports from ABS and counts everything.", "now-12h",
		[]Variable{datasourceVariable(), targetVariable(), rangeVariable()},

		stat("ABS answers", "Whether the last cycle got all its reports from ABS, at all chosen targets.",
			"none", steps(colourCritical, 1, colourGood), query{"min(" + gauge("target", "abs_up", target) + ")", ""}).
			says(object{"type": "value", "options": object{"0": object{"index": 1, "text": "no"}, "1": object{"index": 2, "text": "yes"}}}),
		stat("Age of the token report", "How long ago ABS last answered with its token report, at the target where it is longest.",
			"s", steps(colourGood, 900, colourWarning, 3600, colourCritical),
			query{age("abs_exporter_report_last_success_timestamp_seconds", target+`, report="oauthtokens"`), ""}),
		stat("Age of new requests", "How long ago a report last had more requests than before. Standing still while there is traffic, ABS gets no logs: a full disk, or a feed that stopped.",
			"s", steps(colourGood, 3600, colourWarning, 10800, colourCritical), query{age("abs_last_new_requests_timestamp_seconds", target), ""}),
		stat("Missed slots, last $range", "Slots abandoned because they lay too far back: requests that only they contain are not counted.",
			"short", steps(colourGood, 1, colourCritical), query{or(increase("", "abs_exporter_missed_slots_total", target)+" > 0", "0 * "+running), ""}),
		stat("Audit difference", "Requests that the last audits found in ABS and not in the counters, or the other way round, added up.",
			"short", steps(colourGood, 1, colourWarning), query{or("sum("+gauge("target", "abs_exporter_audit_missing_requests", target)+")\n + sum("+
				gauge("target", "abs_exporter_audit_surplus_requests", target)+")", "NaN * "+running), ""}).
			otherwise("no audit yet"),
		stat("Age of the saved state", "How long ago the state was last saved, at the target where it is longest.",
			"s", steps(colourGood, 900, colourWarning, 3600, colourCritical), query{or(age("abs_exporter_state_last_save_timestamp_seconds", target), "NaN * "+running), ""}).
			otherwise("in memory only"),

		row("ABS itself"),
		stat("Licence ends in", "How long ABS's licence lasts, at the target where it is shortest. With an invalid licence ABS shuts down.",
			"s", steps(colourCritical, 604800, colourWarning, 2592000, colourGood),
			query{"min(" + gauge("target", "abs_license_expiry_timestamp_seconds", target) + " - time())", ""}).wide(6),
		stat("Licence used this month", "Share of the month's transactions that ABS's licence allows, at the target where it is largest.",
			"percentunit", steps(colourGood, 0.9, colourWarning, 1, colourCritical),
			query{or("max("+gauge("target", "abs_license_transactions", target)+"\n  / on (target) "+gauge("target", "abs_license_max_transactions", target)+")",
				"NaN * sum("+where("abs_license_transactions", target)+")"), ""}).wide(6).
			otherwise("unlimited"),
		stat("Fullest file system", "Of the nodes of ABS. At percentage_diskusage_limit (80 % unless set otherwise) ABS takes no more logs.",
			"percentunit", steps(colourGood, 0.8, colourWarning, 0.85, colourCritical),
			query{"max(" + where("abs_node_filesystem_used_ratio", target) + ")", ""}).wide(6),
		stat("Certificate ends in", "How long the certificate lasts that ABS showed last, at the target where it is shortest.",
			"s", steps(colourCritical, 604800, colourWarning, 1814400, colourGood),
			query{"min(" + gauge("target", "abs_server_certificate_not_after_timestamp_seconds", target) + " - time())", ""}).wide(6),

		row("Asking ABS"),
		lines("Failed calls by reason, each $range before", "Calls to ABS without a usable report: keys refused (auth), no answer in time (timeout), no connection or TLS (connection), another HTTP status (status), "+
			"a body that is no such report (decode) or too large (size), anything else (other). A failed call changes no counter of requests.", "short", 12, 8,
			query{increase("reason", "abs_exporter_report_failures_total", target), "{{reason}}"}).painted(reasons()),
		lines("Calls by report, each $range before", "Calls to ABS, failed ones too, by report: token metrics (oauthtokens), one token (forensics), the attack reports (attacklist, attack), and ABS's own state (admin).", "short", 12, 8,
			query{increase("report", "abs_exporter_report_duration_seconds_count", target), "{{report}}"}).painted(reports()),
		lines("How long ABS takes, 9 of 10 calls", "Nine in ten calls were answered to the last byte within this, in the chosen range before.", "s", 8, 8,
			query{"histogram_quantile(0.9, " + increase("report, le", "abs_exporter_report_duration_seconds_bucket", target) + ")", "{{report}}"}).painted(reports()),
		lines("Bytes read, each $range before", "Bytes of reports read from ABS, after decompression.", "bytes", 8, 8,
			query{increase("report", "abs_exporter_report_bytes_total", target), "{{report}}"}).stacked().painted(reports()),
		lines("How long a cycle takes", "Asking ABS, counting, saving and publishing. One that outlasts --collect.interval holds up the next.", "s", 8, 8,
			quantiles("abs_exporter_cycle_duration_seconds", target)...).painted(percentiles()),

		row("Counting"),
		lines("Slots that are not settled", "Open slots are read again until they are settled; pending ones are still to be read after a pause, and until then increases are incomplete.", "short", 8, 8,
			query{"sum by (state) (" + gauge("target, state", "abs_exporter_slots", target) + ")", "{{state}}"}).painted(slotStates()),
		lines("How late requests are reported", "How long after its slot's end a request was counted. Where the line of 99 in 100 approaches --collect.settle, that is too short.", "s", 8, 8,
			quantiles("abs_request_delay_seconds", target)...).painted(percentiles()),
		lines("Readings that fell, each $range before", "Readings in which ABS reported fewer requests than before. Counters do not fall with them.", "short", 8, 8,
			query{increase("target", "abs_exporter_report_regressions_total", target), "{{target}}"}),

		row("Forensics and series"),
		lines("Tokens by state of forensics", "Tokens of the sliding window, each in one state: answered since the window report before the last one (covered), failed when last asked about, skipped because ABS refuses the request, or none of these (due).", "short", 8, 8,
			query{"sum by (state) (" + gauge("target, state", "abs_exporter_forensics_tokens", target) + ")", "{{state}}"}).painted(forensicsStates()),
		lines("How old a forensics report can be", "Since when forensics of every token that stayed in the window was read. Much above the time that an attack may stay unseen, raise --forensics.rate.", "s", 8, 8,
			query{gauge("target", "abs_exporter_forensics_oldest_age_seconds", target), "{{target}}"}),
		lines("Requests under _other, each $range before", "Requests counted under _other because the label's series were all in use: see --series.max-tokens and --series.max-values.", "short", 8, 8,
			query{increase("dimension", "abs_exporter_series_overflow_requests_total", target), "{{dimension}}"}).painted(dimensions()),

		row("The process"),
		lines("Saves that failed, each $range before", "Saves of the state that failed. While saving fails, counters stand still and nothing is lost.", "short", 8, 8,
			query{increase("target", "abs_exporter_state_save_failures_total", target), "{{target}}"}),
		lines("Memory", "Resident memory of the processes.", "bytes", 8, 8,
			query{"process_resident_memory_bytes" + ofExporter, "{{instance}}"}),
		lines("Processor time, of one core", "How much of one core the processes use, over five minutes before. Above 100 %, it is more than one.", "percentunit", 8, 8,
			query{"rate(process_cpu_seconds_total[5m])" + ofExporter, "{{instance}}"}),
		table("Versions", "The processes that are scraped, with their version, commit and Go version.", 24, 5, "Instance",
			[][2]string{{"instance", "Instance"}, {"job", "Job"}, {"version", "Version"}, {"revision", "Commit"}, {"goversion", "Go"}, {"Value", ""}},
			query{"max by (instance, job, version, revision, goversion) (abs_exporter_build_info)", ""},
		),
	)
}
