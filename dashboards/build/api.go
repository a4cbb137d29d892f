package build

// api returns the pivot that alerts lead to: all about one API, or a few.
func api() *Dashboard {
	const across = `target=~"$target", api=~"$api|all"` // an attack across APIs may be one on this API
	return dashboard(APIUID, "ABS: one API",
		"What ABS reports about one API: who attacks it, how busy it is compared with the week before, and whether ABS watches it at all.",
		[]Variable{datasourceVariable(), targetVariable(), apiVariable(), rangeVariable()},
		append([]object{attacksBegan(pair, "abs_attack_start_timestamp_seconds", ofAPI, "{{attack_type}} on {{api}} ({{target}})")}, interruptions()...),

		row("API ${api:text}"),
		blindTargets(),
		stat("Worst severity now", "The worst severity of the attacks on the API now, without those across APIs.", "none", steps(colourNothing),
			query{or("max("+ranked(attackNow(ofAPI))+")", allClear()), ""}).ranked(),
		stat("Flagged tokens", "Tokens that ABS flags for an attack on the API now, each once. Tokens without series of their own are not in it.",
			"short", steps(colourGood, 1, colourCritical), query{atLeast("count(count by (target, token) (" + tokenNow(ofAPI) + "))"), "{{seen}}"}).wide(3),
		stat("New attacks, last $range", "How often a token began an attack on the API in the chosen range.",
			"short", steps(colourGood, 1, colourCritical), query{atLeast(increase("", "abs_attack_detections_total", ofAPI)), "{{seen}}"}).wide(3),
		stat("Requests, last $range", "Requests of the API in the chosen range, at all chosen targets.", "short", steps(colourTraffic),
			query{complete("sum", live(increase("target", "abs_api_requests_total", ofAPI))), ""}).wide(3),
		stat("Compared with a week before", "Requests of the chosen range as a multiple of those at the same time a week before.", "percentunit", steps(colourTraffic),
			query{or(increase("", "abs_api_requests_total", ofAPI)+"\n/ (sum(increase("+where("abs_api_requests_total", ofAPI)+"[$range] offset 1w)) > 0)", "NaN * count("+predicting()+")"), ""}).otherwise("no week yet").wide(4),
		stat("ABS detects attacks", "Whether ABS is in prediction mode for the API, for each of them where several are chosen. If not, no attack means nothing.", "none", steps(colourNothing),
			query{complete("min", predicting()), ""}).judged(values("not all", colourWarning, "yes", colourGood)).wide(4),

		timeline("Severity by attack type", "Every attack type on the API over time, with its severity; all is an attack across APIs.", 24, 8,
			query{ranked(attackNow(across)), "{{attack_type}} on {{api}} ({{target}})"},
			query{"max by (target) (" + ranked(attackNow(across)) + ")\nor " + clearByTarget(), "any type ({{target}})"}),
		attacksTable("Attacks now, by type", across, 11),
		tokensTable("Flagged tokens now", ofAPI, 13),
		anomaliesTable("Anomalies now, by type", ofAPI),

		row("Traffic"),
		lines("Requests beside the week before", "Requests of the API, and those a week before. A point is about the time before it: the chosen range, or longer where there are too many.", "short", 12, 9,
			query{gain("", "abs_api_requests_total", ofAPI), "now"}, query{gainOver("", "abs_api_requests_total", ofAPI, "$__interval", "1w"), "a week before"}).
			overTime().painted([]paint{{"now", colourTraffic}, {"a week before", colourNothing}}),
		lines("Requests an hour beside the alert's bound", "Requests in the hour before, and those of the busiest hours of the week before, times the factor of ABSAPITrafficHigh: both as that alert's rules record them.", "short", 12, 9,
			query{"sum(" + where("target_api:abs_api_requests:increase1h", ofAPI) + ")", "in an hour"},
			query{number1(limit("api_traffic_ratio")) + " * sum(" + where("target_api:abs_api_requests:increase1h_p99_7d", ofAPI) + ")", "limit"}).limited(),
		bars("Busiest tokens, last $range", "The ten tokens with the most requests on the API in the chosen range; _other is all that are not tracked. A click leads to all about one.", 12, 9,
			query{"topk(10, " + increase("token", "abs_token_api_requests_total", ofAPI) + ")", "{{token}}"}).with("links", toToken("${__field.labels.token}")["value"]),
		rows("New attacks by type", "How often tokens began an attack of each type on the API.", ofAttacks.counted(), 12, 9,
			query{orType("attack_type", gain("target, attack_type", "abs_attack_detections_total", ofAPI)), "{{attack_type}} ({{target}})"}),

		row("Training"),
		training("target, api", ofAPI),
	)
}
