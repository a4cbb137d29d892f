package build

// overview returns the dashboard for the analyst: which tokens attack which APIs, now and before.
func overview() *Dashboard {
	const pair = "target, attack_type, api"
	var (
		attackNow  = gauge(pair, "abs_attack_tokens", attack) + " > 0"
		anomalyNow = gauge("target, anomaly_type, api", "abs_anomaly_tokens", anomaly) + " > 0"
		tokenNow   = gauge("target, token, attack_type, api", "abs_token_attack_active", attack) + " > 0" // 0 for a cycle when it ends
		lessBad    = gauge("target, attack_type", "abs_attack_type_info", target+`, severity=~"warning|info"`)
	)
	return dashboard(OverviewUID, "ABS: attacks and traffic",
		"What PingIntelligence ABS reports of attacks, anomalies and traffic by token, as abs-exporter counts it.", "now-12h",
		[]Variable{datasourceVariable(), targetVariable(), apiVariable(), attackTypeVariable(), rangeVariable()},

		stat("Flagged tokens", "Tokens with any active attack, each once, whatever API and attack type are chosen above. "+
			"Now is ABS's sliding window (3 h unless set otherwise): an attack that is over stays until the window has passed it.",
			"short", steps(colourGood, 1, colourCritical),
			query{or("sum("+gauge("target", "abs_flagged_tokens", target)+") > 0", known()), ""}).wide(3),
		stat("APIs that ABS watches", "On how many of its APIs ABS detects attacks (prediction mode), and on how many it tracks OAuth2 tokens. "+
			"On the others no attack means nothing: ABS is in training, or was never trained; or their tokens are in no report. Decoys are not counted.",
			"short", steps(colourTraffic),
			query{"sum(" + predicting() + ")", "in prediction mode"}).
			also(query{"count(" + predicting() + ")", "of"},
				query{or("count("+gauge("target, api", "abs_api_info", target+`, tracks_tokens="true", api_type!~"decoy.*"`)+")", "0 * count("+predicting()+")"), "tokens tracked"}),
		stat("Attacks that page", "Pairs of attack type and API that are under way with severity critical or unknown: somebody should look now.",
			"short", steps(colourGood, 1, colourCritical),
			query{or("count("+attackNow+" unless on (target, attack_type) "+lessBad+")", known()), ""}).wide(3),
		stat("Anomalies", "Pairs of anomaly type and API that tokens show now: signs of an attack below its threshold.",
			"short", steps(colourGood, 1, colourWarning),
			query{or("count("+anomalyNow+")", known()), ""}).wide(3),
		stat("New attacks, last $range", "How often a token began an attack of a type on an API in the chosen range.",
			"short", steps(colourGood, 1, colourCritical),
			query{or(increase("", "abs_attack_detections_total", attack)+" > 0", known()), ""}).wide(3),
		stat("Requests, last $range", "Requests with any token that ABS has reported in the chosen range, each counted once.",
			"short", steps(colourTraffic),
			query{"sum(" + increase("", "abs_requests_total", target) + ")", ""}),
		stat("Age of what is shown", "How long ago ABS last answered with its token report, at the target where it is longest. "+
			"Above a quarter of an hour look at the health dashboard; all else here is then that old.",
			"s", steps(colourGood, 900, colourWarning, 3600, colourCritical),
			query{"max(time() - " + gauge("target", "abs_exporter_report_last_success_timestamp_seconds", target+`, report="oauthtokens"`) + ")", ""}),

		table("Active attacks, by type and API", "Every attack type on every API for which tokens are flagged now, and when it was first seen, 12 h back at most: "+
			"where it had ended and returned, since its return. API all is an attack across APIs.", 11, 9, "Severity",
			[][2]string{
				{"severity", "Severity"}, {"attack_type", "Attack type"}, {"api", "API"}, {"Value #A", "Tokens"}, {"Value #B", "First seen"}, {"target", "Target"},
			},
			query{or(severity(attackNow, pair), known(), "attack_type", "none", "severity", "none", "api", "none", "target", "any"), ""},
			query{or(since("abs_attack_tokens", attack, " > 0", pair, "1m"), "NaN * "+known(), "attack_type", "none", "api", "none", "target", "any"), ""},
		).column("Severity", severityColumn(), cell("color-text"), width(75)).column("API", width(105)).column("Target", width(75)).column("Tokens", decimals0()...).column("First seen", ago()...),
		table("Flagged tokens now", "Each flagged token with the attack type and API, and when that was first seen, 12 h back at most; where it returned, since then. "+
			"A click on the token id leads to all about it; abs-exporter resolve prints the token behind it.", 13, 9, "Severity",
			[][2]string{
				{"severity", "Severity"}, {"token", "Token id"}, {"attack_type", "Attack type"}, {"api", "API"}, {"Value #B", "First seen"}, {"target", "Target"}, {"Value #A", ""},
			},
			query{or(severity(tokenNow, "target, token, attack_type, api"), known(), "token", "none", "attack_type", "none", "severity", "none", "api", "none", "target", "any"), ""},
			query{or(since("abs_token_attack_active", attack, " > 0", "target, token, attack_type, api", "2m"), "NaN * "+known(), "token", "none", "attack_type", "none", "api", "none", "target", "any"), ""},
		).column("Severity", severityColumn(), cell("color-text"), width(75)).column("API", width(105)).column("Target", width(75)).column("Token id", width(165), toToken("${__value.raw}")).column("First seen", ago()...),

		row("Attacks over time"),
		lines("Flagged tokens, by severity", "How many tokens have active attacks of each severity; a token with attacks of two severities counts in both. "+
			"Severities are the exporter's judgement, not ABS's. Tokens past --series.max-tokens are not in it.", "short", 12, 8,
			query{or("count by (severity) (max by (target, token, severity) (\n"+indent(severity(tokenNow, "target, token, attack_type, api"))+"\n))", known(), "severity", "none"), "{{severity}}"},
		).painted(severities()),
		rows("New attacks by type, each $range before", "How often tokens began an attack of each type. Each cell covers the chosen range before its time, so neighbours overlap.",
			scaleAttacks, 8,
			query{or(increase("attack_type", "abs_attack_detections_total", attack), known(), "attack_type", "none"), "{{attack_type}}"}),
		rows("Flagged tokens, by API", "How many tokens are flagged for attacks on each API, counted once for each attack type. all is ABS's word for an attack across APIs.",
			scaleAttacks, 8,
			query{or("sum by (api) ("+gauge(pair, "abs_attack_tokens", attack)+")", known(), "api", "none"), "{{api}}"}).numbered(),
		rows("New anomalies by type, each $range before", "How often tokens began to show each anomaly type. Each cell covers the chosen range before its time.",
			scaleAnomalies, 8,
			query{or(increase("anomaly_type", "abs_anomaly_detections_total", anomaly), known(), "anomaly_type", "none"), "{{anomaly_type}}"}),

		row("Traffic"),
		lines("Requests by method, each $range before", "Requests in the chosen range before each moment, by HTTP method, over all APIs: ABS does not split methods by API.", "short", 12, 9,
			query{increase("method", "abs_method_requests_total", target), "{{method}}"}).stacked().painted(methods()),
		rows("Requests by API, each $range before", "Requests in the chosen range before each moment, a row an API. Where the scale is one for all, a busy API outshines the others: choose some above.",
			scaleTraffic, 9, query{byAPI(), "{{api}}"}),
		bars("Busiest APIs, last $range", "The ten APIs with the most requests in the chosen range.", 12, 9,
			query{long("topk(10,", indent(byAPI()), ")"), "{{api}}"}),
		bars("Busiest tokens, last $range", "The ten tokens with the most requests in the chosen range; _other is all that are not tracked. A click leads to all about one.", 12, 9,
			query{"topk(10, " + increase("token", "abs_token_requests_total", target) + ")", "{{token}}"}).
			with("links", toToken("${__field.labels.token}")["value"]),
		bars("Busiest devices, last $range", "The ten devices, as ABS names them, with the most requests in the chosen range.", 12, 9,
			query{"topk(10, " + increase("device", "abs_device_requests_total", target) + ")", "{{device}}"}),
		rows("Requests by target, each $range before", "Requests in the chosen range before each moment, a row an ABS deployment.",
			scaleTraffic, 9, query{increase("target", "abs_requests_total", target), "{{target}}"}),
	)
}

func cell(kind string) object {
	return object{"id": "custom.cellOptions", "value": object{"type": kind}}
}
func width(w int) object { return object{"id": "custom.width", "value": w} }
func decimals0() []object {
	return []object{{"id": "unit", "value": "locale"}, {"id": "decimals", "value": 0}, width(65)}
}
