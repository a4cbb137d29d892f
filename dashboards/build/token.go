package build

import "fmt"

// token returns the drill-down: all that is known of one token.
func token() *Dashboard {
	seen := func(function string) query {
		return query{function + "(1000 * " + inRange(function, "(0 * "+gauge("target", "abs_token_window_requests", ofToken)+" + time())") + ")", ""}
	}
	return dashboard(TokenUID, "ABS: one token",
		"All that abs-exporter knows about one token, by its id.",
		[]Variable{datasourceVariable(), targetVariable(), tokenVariable(), rangeVariable()},
		append([]object{attacksBegan(ofOneToken, "abs_token_attack_start_timestamp_seconds", ofToken, "{{attack_type}} on {{api}} ({{target}})")}, interruptions()...),

		row("Token $token"),
		stat("Worst severity now", "The worst severity of the attacks that ABS flags the token for in its sliding window. Unknown: forensics was not read yet, or the token is not in the window.", "none", steps(colourNothing),
			query{or("max("+ranked(tokenNow(ofToken))+")", "(max("+where("abs_token_attack_types", ofToken)+") == 0)"), ""}).ranked(),
		stat("Anomaly types now", "Anomaly types that the token shows in ABS's sliding window.",
			"short", steps(colourGood, 1, colourWarning), query{"max(" + where("abs_token_anomaly_types", ofToken) + ")", ""}).wide(3),
		stat("First seen", "When the token was first in ABS's sliding window, in the chosen time.", "dateTimeFromNow", steps(colourTraffic), seen("min")).wide(3).sampled(),
		stat("Last seen", "When the token was last in ABS's sliding window, in the chosen time: up to 3 h after its last request.", "dateTimeFromNow", steps(colourTraffic), seen("max")).wide(3).sampled(),
		stat("Flagged since", "When the first of the attacks that are under way was seen.", "dateTimeFromNow", steps(colourTraffic),
			query{or("1000 * min("+where("abs_token_attack_start_timestamp_seconds", ofToken)+")", "NaN * count("+where("abs_token_attack_types", ofToken)+")"), ""}).otherwise("no attack").wide(3),
		stat("Requests, last $range", "Requests of the token in the chosen range, each counted once since the token is tracked.",
			"short", steps(colourTraffic), query{increase("", "abs_token_requests_total", ofToken), ""}).wide(3),
		stat("Addresses", "Distinct client addresses of the token in ABS's sliding window, at the target with the most. Many at once may be a token that was stolen.",
			"short", steps(colourTraffic), query{"max(" + where("abs_token_window_ips", ofToken) + ")", ""}).wide(3),
		stat("Devices", "Distinct devices of the token in ABS's sliding window, as ABS names them.",
			"short", steps(colourTraffic), query{"max(" + where("abs_token_window_devices", ofToken) + ")", ""}).wide(2),

		timeline("Attacks and anomalies", "When the token was flagged for which attack on which API, with the severity of the attack type, and which anomalies it showed, as ABS's sliding window reports it: "+
			"one that is over stays until the window has passed it.", 24, 9,
			query{orTokenClear(ranked(tokenNow(ofToken)), "attack_type", "no attack", "api", "any API"), "{{attack_type}} on {{api}} ({{target}})"},
			query{orTokenClear(fmt.Sprint(rankAnomaly)+" * ("+now(gauge("target, token, anomaly_type, api", "abs_token_anomaly_active", ofToken))+")", "anomaly_type", "none", "api", "any API"), "anomaly: {{anomaly_type}} on {{api}} ({{target}})"},
		),

		row("Traffic"),
		gains("Requests", "Requests of the token.", "short", 12, 8,
			query{gain("target", "abs_token_requests_total", ofToken), "{{target}}"}),
		gains("Requests by method", "Requests of the token by HTTP method.", "short", 12, 8,
			query{gain("method", "abs_token_method_requests_total", ofToken), "{{method}}"}).painted(methods()),
		rows("Requests by API", "Requests of the token, a row an API.", ofTraffic.shared(), 12, 8,
			query{gain("api", "abs_token_api_requests_total", ofToken), "{{api}}"}),
		rows("Requests by device", "Requests of the token, a row a device as ABS names it. Many at once may be a token that was stolen.", ofTraffic.shared(), 12, 8,
			query{gain("device", "abs_token_device_requests_total", ofToken), "{{device}}"}),
		rows("Requests by address", "Requests of the token, a row a client address, if --series.dimensions names ip.", ofTraffic.shared(), 12, 8,
			query{or(gain("ip", "abs_token_ip_requests_total", ofToken), "0 * "+gain("", "abs_token_requests_total", ofToken), "ip", "addresses are not counted"), "{{ip}}"}),
		lines("Addresses and devices", "Distinct client addresses and devices of the token in ABS's sliding window.", "short", 12, 8,
			query{"max(" + where("abs_token_window_ips", ofToken) + ")", "addresses"}, query{"max(" + where("abs_token_window_devices", ofToken) + ")", "devices"}).
			painted(categorised("addresses", "devices")),

		row("Who is it?"),
		text("The token behind the id", "The command that finds the token, its attacks and its traffic in ABS's reports.",
			"The id stands for the token; the token itself is in no metric. Where abs-exporter's keys are, with the flags of `serve`, this prints what ABS knows about it at the end of the chosen time, the token masked:\n\n"+
				"```\nabs-exporter resolve ${token} --at ${__to:date:iso}\n```\n\n"+
				"With several targets, add `--target` and a name to search one only; chosen above: ${target:text}. `--show-token` prints the token in full. "+
				"[Runbooks](https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks/README.md)", 24, 6),
		collapsed("Other tokens", otherTokens()),
	)
}

// orTokenClear shows that there is nothing while ABS has answered about the token.
func orTokenClear(expr string, labels ...string) string {
	return long(expr, "or on (target) 0 * "+labelled(gauge("target", "abs_token_attack_types", ofToken), labels...))
}

// sampled gives a number over the chosen time a bounded number of samples.
func (p *Panel) sampled() *Panel {
	p.MaxDataPoints, p.Interval = 300, "1m"
	return p
}

// otherTokens leads from one token to others.
func otherTokens() *Panel {
	return table("Tokens in the window", "The fifty tokens with the most attack types, anomaly types and requests in ABS's sliding window. A click leads to one.", 24, 9,
		[]column{{"Value #A", "Attack types"}, {"token", "Token id"}, {"Value #B", "Anomaly types"}, {"Value #C", "Requests"}, {"target", "Target"}, {"Value #D", ""}},
		query{topTokens("abs_token_attack_types"), ""}, query{topTokens("abs_token_anomaly_types"), ""}, query{topTokens("abs_token_window_requests"), ""},
	).column("Token id", width(180), toToken("${__value.raw}")).column("Attack types", number(120)...).column("Anomaly types", number(120)...).column("Requests", number(120)...)
}

func topTokens(metric string) string {
	const keys = "target, token"
	weighed := func(weight, metric string) string {
		return "\n  + on (" + keys + ") (" + weight + " * " + gauge(keys, metric, target) + " or 0 * " + gauge(keys, "abs_token_window_requests", target) + ")"
	}
	return long(gauge(keys, metric, target), "and on ("+keys+") topk(50, "+gauge(keys, "abs_token_window_requests", target)+
		weighed("1e12", "abs_token_attack_types")+weighed("1e9", "abs_token_anomaly_types")+")")
}
