package build

// token returns the drill-down: all that is known of one token.
func token() *Dashboard {
	const key = "target, token, "
	return dashboard(TokenUID, "ABS: one token",
		"All that abs-exporter knows about one token, by its id.", "now-12h",
		[]Variable{datasourceVariable(), targetVariable(), tokenVariable(), rangeVariable()},

		stat("Attack types now", "Attack types for which the token is flagged in ABS's sliding window. Unknown: forensics was not read yet, or the token has no requests in the window.",
			"short", steps(colourGood, 1, colourCritical), query{"max(" + where("abs_token_attack_types", ofToken) + ")", ""}),
		stat("Anomaly types now", "Anomaly types that the token shows in ABS's sliding window.",
			"short", steps(colourGood, 1, colourWarning), query{"max(" + where("abs_token_anomaly_types", ofToken) + ")", ""}),
		stat("Requests in the window", "Requests of the token in ABS's sliding window (3 h unless set otherwise), as ABS reports them now.",
			"short", steps(colourTraffic), query{"sum(" + gauge("target", "abs_token_window_requests", ofToken) + ")", ""}),
		stat("Requests, last $range", "Requests of the token in the chosen range, each counted once since the token is tracked.",
			"short", steps(colourTraffic), query{increase("", "abs_token_requests_total", ofToken), ""}),
		stat("Share of all requests, last $range", "The token's share of all requests of its targets in the chosen range.",
			"percentunit", steps(colourTraffic), query{increase("", "abs_token_requests_total", ofToken) + "\n/ " + increase("", "abs_requests_total", target), ""}),
		stat("APIs, last $range", "How many APIs the token was used on in the chosen range.",
			"short", steps(colourTraffic), query{or("count("+increase("api", "abs_token_api_requests_total", ofToken)+" > 0)", "0 * "+increase("", "abs_token_requests_total", ofToken)), ""}),

		timeline("Attacks and anomalies", "When the token was flagged for which attack on which API, and which anomalies it showed, as ABS's sliding window reports it: "+
			"one that is over stays until the window has passed it.", 24, 9,
			query{or(gauge(key+"attack_type, api", "abs_token_attack_active", ofToken), known(), "attack_type", "no attack", "api", "any API"), "{{attack_type}} on {{api}}"},
			query{or("2 * "+gauge(key+"anomaly_type, api", "abs_token_anomaly_active", ofToken), known(), "anomaly_type", "no anomaly", "api", "any API"), "anomaly: {{anomaly_type}} on {{api}}"},
		),

		row("Traffic"),
		lines("Requests, each $range before", "Requests of the token in the chosen range before each moment.", "short", 12, 8,
			query{increase("target", "abs_token_requests_total", ofToken), "{{target}}"}),
		lines("Requests by method, each $range before", "Requests of the token in the chosen range before each moment, by HTTP method.", "short", 12, 8,
			query{increase("method", "abs_token_method_requests_total", ofToken), "{{method}}"}).stacked().painted(methods()),
		rows("Requests by API, each $range before", "Requests of the token in the chosen range before each moment, a row an API.", scaleTraffic, 8,
			query{increase("api", "abs_token_api_requests_total", ofToken), "{{api}}"}),
		rows("Requests by device, each $range before", "Requests of the token in the chosen range before each moment, a row a device as ABS names it. Many at once may be a token that was stolen.",
			scaleTraffic, 8, query{increase("device", "abs_token_device_requests_total", ofToken), "{{device}}"}),

		row("Who is it?"),
		text("The token behind the id", "The command that finds the token, its attacks and its traffic in ABS's reports.",
			"The id stands for the token; the token itself is in no metric. Where abs-exporter's keys are, with the flags of `serve`, this prints what ABS knows about it, the token masked:\n\n"+
				"```\nabs-exporter resolve ${token} --at ${__to:date:iso}\n```\n\n"+
				"`--show-token` prints it in full. [Runbooks](https://github.com/abs-exporter/abs-exporter/tree/main/docs/runbooks)", 24, 6),
	)
}

// timeline shows a state over time: 1 an attack, 2 an anomaly, 0 neither.
func timeline(title, description string, w, h int, queries ...query) *Panel {
	p := panel("state-timeline", title, description, w, h, queries...)
	p.MaxDataPoints, p.Interval = 400, "1m"
	p.with("unit", "none").with("color", object{"mode": "thresholds"}).with("thresholds", steps(colourNothing)).with("noValue", "unknown")
	p.with("mappings", []object{{"type": "value", "options": object{
		"0": object{"index": 0, "text": "none", "color": colourNothing},
		"1": object{"index": 1, "text": "attack", "color": colourCritical},
		"2": object{"index": 2, "text": "anomaly", "color": colourWarning},
	}}})
	p.with("custom", object{"fillOpacity": 80, "lineWidth": 0, "spanNulls": false})
	p.Options = object{
		"mergeValues": true, "showValue": "auto", "alignValue": "left", "rowHeight": 0.85,
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true},
		"tooltip": object{"mode": "single", "sort": "none"},
	}
	return p
}
