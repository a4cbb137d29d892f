package build

import (
	"fmt"
	"strings"
)

// Labels of a finding, and of one token's.
const (
	pair       = "target, attack_type, api"
	ofOneToken = "target, token, attack_type, api"
)

// attackNow is how many tokens attack an API in some way now.
func attackNow(matchers string) string { return now(gauge(pair, "abs_attack_tokens", matchers)) }

// tokenNow is 1 for each finding of a token; at its end it is 0 for a cycle.
func tokenNow(matchers string) string {
	return now(gauge(ofOneToken, "abs_token_attack_active", matchers))
}

// overview returns the dashboard for the analyst: which tokens attack which APIs, now and before.
func overview() *Dashboard {
	return dashboard(OverviewUID, "ABS: attacks and traffic",
		"What PingIntelligence ABS reports of attacks, anomalies and traffic by token, as abs-exporter counts it.",
		[]Variable{datasourceVariable(), targetVariable(), apiVariable(), attackTypeVariable(), rangeVariable()},
		append([]object{attacksBegan(pair, "abs_attack_start_timestamp_seconds", attack, "{{attack_type}} on {{api}} ({{target}})")}, interruptions()...),

		blindTargets(),
		stat("Attacks that page", "Pairs of attack type and API that are under way with severity critical or unknown: somebody should look now.",
			"short", steps(colourGood, 1, colourCritical), query{atLeast("count(" + pageable() + ")"), "{{seen}}"}).wide(3),
		stat("Flagged tokens, by worst severity", "Tokens with series of their own (--series.max-tokens) that ABS flags now, each once under its worst severity, and how many they were. "+
			"Now is ABS's sliding window (3 h unless set otherwise): an attack that is over stays until the window has passed it.",
			"short", steps(colourNothing, 1, colourCritical), query{tokensBySeverity(), "{{severity}}"}).trend().wide(6).
			with("color", fixed(colourNothing)).painted(severityPaints()),
		stat("Attacked APIs", "APIs that are attacked now with any severity; attacks across APIs are one more.",
			"short", steps(colourGood, 1, colourCritical), query{atLeast("count(count by (target, api) (" + attackNow(attack) + "))"), "{{seen}}"}).wide(3),
		stat("New attacks, last $range", "How often a token began an attack of a type on an API in the chosen range.",
			"short", steps(colourGood, 1, colourCritical), query{atLeast(increase("", "abs_attack_detections_total", attack)), "{{seen}}"}).wide(3),
		dataAge().wide(3),
		stat("APIs in training", "APIs on which ABS does not detect attacks (prediction mode off): no attack on them means nothing. Decoys are not counted.",
			"short", steps(colourGood, 1, colourWarning), query{complete("count", predicting()+" == 0") + "\nor " + complete("0 * count", predicting()), ""}).
			wide(3).leads("the APIs", APIUID),

		timeline("APIs under attack", "The worst severity of the attacks on each API over time. An attack that is over stays until ABS's window has passed it. "+
			"A target whose state was unknown has a gap in its own row.", 16, 8,
			query{"max by (target, api) (" + ranked(attackNow(attack)) + ")", "{{api}} ({{target}})"},
			query{"max by (target) (" + ranked(attackNow(attack)) + ")\nor " + clearByTarget(), "any API of {{target}}"}),
		flaggedTokens(),

		attacksTable("Attacks now, by type and API", attack, 11),
		tokensTable("Flagged tokens now", attack, 13),
		attacksInRange(),

		row("Over time"),
		rows("New attacks by type", "How often tokens began an attack of each type.", ofAttacks.counted(), 12, 8,
			query{orType("attack_type", gain("target, attack_type", "abs_attack_detections_total", attack)), "{{attack_type}} ({{target}})"}),
		rows("New anomalies by type", "How often tokens began to show each anomaly type.", ofAnomalies.counted(), 12, 8,
			query{orType("anomaly_type", gain("target, anomaly_type", "abs_anomaly_detections_total", anomaly)), "{{anomaly_type}} ({{target}})"}),
		anomaliesTable("Anomalies now, by type and API", anomaly),

		collapsed("APIs that ABS does not watch", training("target, api", ofAPI)),
		collapsed("Traffic",
			gains("Requests by method, all APIs", "Requests by HTTP method: ABS does not split methods by API.", "short", 12, 9,
				query{gain("method", "abs_method_requests_total", target), "{{method}}"}).painted(methods()),
			rows("Requests by API", "Requests, a row an API. The colour is the share of the busiest cell: choose some APIs above to see the others.", ofTraffic.shared(), 12, 9,
				query{byAPI(gain), "{{api}}"}),
			bars("Busiest APIs, last $range", "The ten APIs with the most requests in the chosen range.", 12, 9,
				query{long("topk(10,", indent(byAPI(increase)), ")"), "{{api}}"}).with("links", toAPI("${__field.labels.api}")["value"]),
			bars("Busiest tokens, all APIs, last $range", "The ten tokens with the most requests in the chosen range; _other is all that are not tracked. A click leads to all about one.", 12, 9,
				query{"topk(10, " + increase("token", "abs_token_requests_total", target) + ")", "{{token}}"}).with("links", toToken("${__field.labels.token}")["value"]),
			bars("Busiest devices, all APIs, last $range", "The ten devices, as ABS names them, with the most requests in the chosen range.", 12, 9,
				query{"topk(10, " + increase("device", "abs_device_requests_total", target) + ")", "{{device}}"}),
			rows("Requests by target, all APIs", "Requests, a row an ABS deployment.", ofTraffic.shared(), 12, 9,
				query{gain("target", "abs_requests_total", target), "{{target}}"}),
		),
	)
}

// flaggedTokens shows how many tokens are flagged beside what ABSAttackSpreading fires at.
func flaggedTokens() *Panel {
	return lines("Flagged tokens, all APIs", "How many tokens have any active attack, each once, at the target with the most, how many of them have series of their own (--series.max-tokens), and at how many ABSAttackSpreading fires.", "short", 8, 8,
		query{"max(" + gauge("target", "abs_flagged_tokens", target) + ")", "all"},
		query{"max(count by (target) (" + now(gauge("target, token", "abs_token_attack_active", target)) + ")\nor " + clearByTarget() + ")", "with series of their own"},
		query{fmt.Sprintf("clamp_min(%g * max(%s), %g)", limit("flagged_ratio"), where("abs_window_tokens", target), limit("flagged_tokens")), "limit"}).
		painted(categorised("all", "with series of their own")).limited()
}

// blindTargets is the first tile: where it is not 0, no other can be relied on.
func blindTargets() *Panel {
	return stat("Blind targets", "Targets of the last day of which nobody knows now whether they are attacked: the exporter is gone, ABS sends no usable token reports, or none about attacks. "+
		"All else on this dashboard is then about the other targets only.",
		"short", steps(colourGood, 1, colourCritical), query{or("count("+blind()+")", "0 * count("+watched()+")"), ""}).
		wide(3).leads("the exporter's health", HealthUID)
}

// dataAge is how old the numbers are.
func dataAge() *Panel {
	const last = "abs_exporter_report_last_success_timestamp_seconds"
	return stat("Data age", "How long ago ABS last answered with its token report, at the target where it is longest: all else is that old. ABS itself is half an hour late.",
		"s", steps(colourGood, limit("unreachable_seconds"), colourCritical),
		query{complete("max", "(time() - "+gauge("target", last, target+`, report="oauthtokens"`)+")"), ""}).leads("the exporter's health", HealthUID)
}

// pageable is the attacks that somebody should look at now.
func pageable() string { return fmt.Sprintf("(%s) >= %d", ranked(attackNow(attack)), rankPageable) }

// tokensBySeverity is how many tokens there are of each worst severity: each a number at every
// moment, NaN while a target is blind. Prometheus sorts series by their labels, so the label order,
// which is smaller where it is worse, puts the worst first.
func tokensBySeverity() string {
	counts := fmt.Sprintf(`count_values("order", %d - max by (target, token) (`, rankBlind) + ranked(tokenNow(attack)) + `))`
	var zeros, blanks []string
	for _, s := range severities() {
		order := fmt.Sprint(rankBlind - s.rank)
		counts = fmt.Sprintf(`label_replace(%s, "severity", %q, "order", %q)`, counts, s.name, order)
		zeros = append(zeros, labelled("vector(0)", "order", order, "severity", s.name))
		blanks = append(blanks, labelled("vector(NaN)", "order", order, "severity", s.name))
	}
	return long("sum by (order, severity) ("+counts+")",
		"or on (severity) (("+strings.Join(zeros, " or ")+") and on () "+allClear()+")",
		"or on (severity) ("+strings.Join(blanks, " or ")+")")
}

// orType shows for each target without a value that there is none, while that is known.
func orType(label, expr string) string {
	return long(expr, "or on (target) "+labelled(clearByTarget(), label, "none"))
}

// attacksTable lists the attacks of now.
func attacksTable(title, matchers string, w int) *Panel {
	return table(title, "Every attack type on every API for which tokens are flagged now, and when the first of these tokens was seen. API all is an attack across APIs. "+
		"A target without attacks has a line that says so, and so has a blind one.", w, 9,
		[]column{{"Value #A", "Severity"}, {"attack_type", "Attack type"}, {"api", "API"}, {"Value #B", "Tokens"}, {"Value #C", "First seen"}, {"target", "Target"}},
		query{orTargets(ranked(attackNow(matchers)), "attack_type", "api"), ""},
		query{attackNow(matchers), ""},
		query{orTargetsNothing(began(pair, "abs_attack_start_timestamp_seconds", matchers), "attack_type", "api"), ""},
	).column("Severity", severityColumn()...).column("API", width(105), toAPI("${__value.raw}")).column("Target", width(85)).
		column("Tokens", number(65)...).column("First seen", ago()...)
}

// tokensTable lists the flagged tokens of now.
func tokensTable(title, matchers string, w int) *Panel {
	ofToken := func(metric string) string {
		return "0 * (" + tokenNow(matchers) + ") + on (target, token) group_left () " + gauge("target, token", metric, target)
	}
	return table(title, "Each flagged token with the attack type and API, and when that was first seen. Its requests and distinct addresses are those of ABS's window, on all APIs. "+
		"A click on the token id leads to all about it.", w, 9,
		[]column{
			{"Value #A", "Severity"},
			{"token", "Token id"},
			{"attack_type", "Attack type"},
			{"api", "API"},
			{"Value #B", "First seen"},
			{"Value #C", "Requests"},
			{"Value #D", "Addresses"},
			{"target", "Target"},
		},
		query{orTargets(ranked(tokenNow(matchers)), "attack_type", "token", "api"), ""},
		query{orTargetsNothing(began(ofOneToken, "abs_token_attack_start_timestamp_seconds", matchers), "attack_type", "token", "api"), ""},
		query{ofToken("abs_token_window_requests"), ""},
		query{ofToken("abs_token_window_ips"), ""},
	).column("Severity", severityColumn()...).column("Token id", width(140), toToken("${__value.raw}")).column("API", width(85), toAPI("${__value.raw}")).
		column("First seen", ago()...).column("Requests", number(75)...).column("Addresses", number(80)...).column("Target", width(70))
}

// anomaliesTable lists the anomalies of now.
func anomaliesTable(title, matchers string) *Panel {
	return table(title, "Every anomaly type on every API that tokens show now: signs of an attack below its threshold. One says little, many at once may be one attack.", 24, 7,
		[]column{{"Value", "Tokens"}, {"anomaly_type", "Anomaly type"}, {"api", "API"}, {"target", "Target"}},
		query{orTargetsNothing(now(gauge("target, anomaly_type, api", "abs_anomaly_tokens", matchers)), "anomaly_type", "api"), ""},
	).column("Tokens", number(80)...).column("API", toAPI("${__value.raw}"))
}

// attacksInRange lists all attacks of the chosen time. Its queries read as many samples as a graph
// of that time.
func attacksInRange() *Panel {
	var (
		seen   = now(inRange("max", gauge(pair, "abs_attack_tokens", attack)))
		active = gauge(pair, "abs_attack_tokens", attack) + " > bool 0"
	)
	p := table("Attacks in the chosen time", "Every attack type on every API for which tokens were flagged in the chosen time, also those that are over: how many tokens at most, how often one began, and when the attack was seen.", 24, 9,
		[]column{
			{"Value #A", "Severity"},
			{"attack_type", "Attack type"},
			{"api", "API"},
			{"Value #B", "State"},
			{"Value #C", "Tokens at most"},
			{"Value #D", "New attacks"},
			{"Value #E", "First seen"},
			{"Value #F", "Last seen"},
			{"target", "Target"},
		},
		query{orTargets(rankedBy(seen, func(s string) string { return inRange("last", s) }), "attack_type", "api"), ""},
		query{long("("+active, "  or 0 * ("+seen+"))", "unless on (target) "+blind()), ""},
		query{seen, ""},
		query{gainOver(pair, "abs_attack_detections_total", attack, "$__range", ""), ""},
		query{"1000 * " + inRange("min", "min by ("+pair+") ("+where("abs_attack_start_timestamp_seconds", attack)+")"), ""},
		query{"1000 * " + inRange("max", "(0 * ("+attackNow(attack)+") + time())"), ""},
	).column("Severity", severityColumn()...).column("State", append(yesNo("over", colourNothing, "active", colourCritical), width(80))...).
		column("API", width(120), toAPI("${__value.raw}")).column("Tokens at most", number(120)...).column("New attacks", number(110)...).
		column("First seen", date("dateTimeAsIso", 170)...).column("Last seen", date("dateTimeAsIso", 170)...).column("Target", width(120))
	p.MaxDataPoints, p.Interval = 300, "1m"
	return p
}

// training lists the APIs with what ABS does for them.
func training(keys, matchers string) *Panel {
	const metric = "abs_api_prediction_mode"
	return table("Prediction mode and training", "Whether ABS detects attacks on each API and tracks OAuth2 tokens on it, and since when it trains. Where it does not, no attack means nothing.", 24, 7,
		[]column{{"api", "API"}, {"Value #A", "Detects attacks"}, {"api_type", "Type"}, {"tracks_tokens", "Tracks tokens"}, {"Value #B", "Training began"}, {"Value #C", "Trains for"}, {"target", "Target"}, {"Value #D", ""}},
		query{gauge(keys, metric, matchers), ""},
		query{began(keys, "abs_api_training_start_timestamp_seconds", matchers), ""},
		query{gauge(keys, "abs_api_training_seconds", matchers), ""},
		query{gauge(keys+", api_type, tracks_tokens", "abs_api_info", matchers), ""},
	).column("API", toAPI("${__value.raw}")).column("Detects attacks", yesNo("no", colourWarning, "yes", colourGood)...).
		column("Training began", date("dateTimeAsIso", 170)...).column("Trains for", object{"id": "unit", "value": "s"})
}
