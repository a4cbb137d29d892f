package build

import (
	"fmt"
	"slices"
	"strings"
)

// increase is what a counter gained in the chosen range, by labels. Not $__rate_interval: counters
// step with ABS's ten-minute batches, and over a few minutes that shows as zeros and spikes.
func increase(by, counter, matchers string) string {
	if by != "" {
		by = " by (" + by + ") "
	}
	return fmt.Sprintf("sum%s(increase(%s[$range]))", by, where(counter, matchers))
}

// gauge is a gauge by labels. Where two processes report the same, as while one replaces the other,
// the larger value counts.
func gauge(by, name, matchers string) string {
	return fmt.Sprintf("max by (%s) (%s)", by, where(name, matchers))
}

// known is a zero for as long as the state of attacks at all chosen targets is known. It replaces
// the value where no attack was ever seen. Where it is not known of one of them, because its ABS
// has been silent for long or its exporter is gone, it is absent: a zero would be a false
// all-clear. A target that is gone counts for 6 h, as in ABSExporterAbsent.
func known() string {
	flagged := where("abs_flagged_tokens", target)
	return "(0 * sum(" + flagged + ") unless on () (last_over_time(" +
		where("abs_exporter_slots", target+`, state="open"`) + "[6h]) unless on (target) " + flagged + "))"
}

// predicting is the prediction mode of each API that is no decoy.
func predicting() string {
	return gauge("target, api", "abs_api_prediction_mode", target) +
		" unless on (target, api) " + where("abs_api_info", target+`, api_type=~"decoy.*"`)
}

// byAPI is the traffic by API. all, which only attacks have, chooses every one, and not none; @
// end() asks for it once, and not for the time before such an attack.
func byAPI() string {
	const all = target + `, api="all", api=~"$api"`
	return long(
		increase("api", "abs_api_requests_total", ofAPI),
		"or "+increase("api", "abs_api_requests_total", target)+" and on () (",
		"  "+where("abs_attack_tokens", all)+" @ end() or "+where("abs_anomaly_tokens", all)+" @ end()",
		")")
}

// or shows zero, under the label values, where expr has nothing to show.
func or(expr, zero string, labels ...string) string {
	for i := 0; i+1 < len(labels); i += 2 {
		zero = fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", zero, labels[i], labels[i+1])
	}
	return long(expr, "or on () "+zero)
}

// severity joins how bad it is to series with target and attack_type; keys are all their labels. A
// type without an info series is unknown, and is not lost.
func severity(expr, keys string) string {
	return long(
		"(", indent("("+expr+")"), "  * on (target, attack_type) group_left (severity)",
		"  topk by (target, attack_type) (1, "+gauge("target, attack_type, severity", "abs_attack_type_info", target)+")",
		")",
		"or on ("+keys+") label_replace(", indent(expr)+`,`, `  "severity", "unknown", "", ""`, ")")
}

// since is when series with keys, which are there now, were first seen, in seconds since 1970 and
// at most 12 h back. An attack that had ended and returned counts from its return; gaps of a
// quarter of an hour, as of an exporter that starts anew, are no end.
func since(metric, matchers, above, keys, step string) string {
	by := "max by (" + keys + ") "
	series := where(metric, matchers)
	now := by + "(" + series + above + ")"
	begins := "timestamp(" + series + above + ") unless on (" + keys + ") last_over_time(" + series + "[15m] offset " + step + ")" + above
	return long(
		by+"("+begins+")", // since the last step of the subqueries
		"or "+by+"(max_over_time(("+begins+")[12h:"+step+"]))",
		"  and "+now,
		"or min by ("+keys+") (min_over_time(timestamp("+series+above+")[12h:"+step+"]))", // longer than 12 h ago
		"  and "+now,
		"or 0 * "+now+" + time()")
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }

// quantiles are the percentiles of a histogram over the chosen range, each under its name.
func quantiles(histogram, matchers string) []query {
	var out []query
	for _, q := range []struct{ of, name string }{{"0.5", "half"}, {"0.9", "9 in 10"}, {"0.99", "99 in 100"}} {
		out = append(out, query{fmt.Sprintf("histogram_quantile(%s, %s)", q.of, increase("le", histogram+"_bucket", matchers)), q.name})
	}
	return slices.Clip(out)
}
