package build

import (
	"fmt"
	"slices"
	"strings"
)

// increase is what a counter gained in the chosen range until now, by labels. Not
// $__rate_interval: counters step with ABS's ten-minute batches, and over a few minutes that shows
// as zeros and spikes.
func increase(by, counter, matchers string) string {
	return increaseOver(by, counter, matchers, "[$range]")
}

// gain is what a counter gained since the point before, by labels. With the chosen range as the
// least distance of points, which overTime sets, the points of any span of time add up to what was
// counted.
func gain(by, counter, matchers string) string {
	return gainOver(by, counter, matchers, "$__interval", "")
}

// gainOver is what a counter gained in a span that ended some time ago, from its last sample
// before the span to its last one in it. An increase begins at the first sample in the span: what
// was counted just before is in no span then, and ABS's batches come at round times, where spans
// end. A counter that is younger than the span, or began anew as it began, begins with its least
// value. One that began anew in the span has its increase, and so has one that ended well before
// the span does.
func gainOver(by, counter, matchers, span, ago string) string {
	c := where(counter, matchers)
	if by != "" {
		by = " by (" + by + ") "
	}
	before, until := " offset "+ago+span, "" // 1w1h is a duration, 1w + 1h is none in every Prometheus
	if ago != "" {
		until = " offset " + ago
	}
	in := "[" + span + "]" + until
	return long(
		"sum"+by+"(",
		"  last_over_time("+c+"[30m]"+until+") - min without (edge) (",
		"    "+labelled("last_over_time("+c+"[30m]"+before+")", "edge", "before"),
		"    or min_over_time("+c+in+")",
		"  )",
		"  unless resets("+c+in+") > 0",
		"  or increase("+c+in+")",
		")")
}

func increaseOver(by, counter, matchers, over string) string {
	if by != "" {
		by = " by (" + by + ") "
	}
	return fmt.Sprintf("sum%s(increase(%s%s))", by, where(counter, matchers), over)
}

// gauge is a gauge by labels. Where two processes report the same, as while one replaces the other,
// the larger value counts.
func gauge(by, name, matchers string) string {
	return fmt.Sprintf("max by (%s) (%s)", by, where(name, matchers))
}

// watched is 1 for each chosen target of the last day, whether it still has series or not, and for
// each that the rules expect. @ end() asks once and not at each point of a graph.
func watched() string {
	return "group by (target) (last_over_time(" + where("abs_exporter_slots", target+`, state="open"`) + "[1d] @ end()) or " + where("abs:expected_target", target) + ")"
}

// blind is 1 for each watched target of which nobody knows whether it is attacked: its exporter is
// gone, ABS sends no token reports, or none about attacks.
func blind() string {
	return long(
		"("+watched(),
		"  unless on (target) (time() - "+gauge("target", "abs_exporter_report_last_success_timestamp_seconds", target+`, report="oauthtokens"`)+
			fmt.Sprintf(" <= %.0f)", limit("unreachable_seconds")),
		"  or "+watched(),
		"  unless on (target) "+where("abs_flagged_tokens", target)+")")
}

// allClear is a zero for as long as no watched target is blind. It replaces the value where there
// is no attack: a zero beside a blind target would be a false all-clear.
func allClear() string { return "(0 * count(" + watched() + ") unless on () " + blind() + ")" }

// clearByTarget is a zero for each target of which ABS says that it is not attacked.
func clearByTarget() string { return "0 * " + gauge("target", "abs_flagged_tokens", target) }

// atLeast is a number over all chosen targets that is above zero only where something is wrong. It
// has the label seen, which says where a blind target may hide more.
func atLeast(expr string) string {
	return long(
		`label_replace(`+expr+` > 0, "seen", "at least: a target is blind", "", "") and on () `+blind(),
		`or on () label_replace(`+expr+` > 0 or on () `+allClear()+`, "seen", "at all targets", "", "")`)
}

// complete is an aggregate over all chosen targets. It is absent where one of them has no value: of
// whoever is left it would be a wrong number.
func complete(aggregate, expr string) string {
	return long(aggregate+"("+expr+")", "unless on () ("+watched()+" unless on (target) "+expr+")")
}

// live is what expr has of targets whose exporter is there: increases outlive it.
func live(expr string) string {
	return "(" + expr + " and on (target) " + where("abs_exporter_slots", target+`, state="open"`) + ")"
}

// predicting is the prediction mode of each API that is no decoy.
func predicting() string {
	return "(" + gauge("target, api", "abs_api_prediction_mode", ofAPI) +
		" unless on (target, api) " + where("abs_api_info", ofAPI+`, api_type=~"decoy.*"`) + ")"
}

// byAPI is traffic by API over some time. all, which only attacks have, chooses every one, and not
// none.
func byAPI(change func(by, counter, matchers string) string) string {
	const all = target + `, api="all", api=~"$api"`
	return long(
		change("api", "abs_api_requests_total", ofAPI),
		"or "+change("api", "abs_api_requests_total", target)+" and on () (",
		"  "+where("abs_attack_tokens", all)+" @ end() or "+where("abs_anomaly_tokens", all)+" @ end()",
		")")
}

// labelled sets labels of a result.
func labelled(expr string, labels ...string) string {
	for i := 0; i+1 < len(labels); i += 2 {
		expr = fmt.Sprintf("label_replace(%s, %q, %q, \"\", \"\")", expr, labels[i], labels[i+1])
	}
	return expr
}

// or shows zero, under the label values, where expr has nothing to show.
func or(expr, zero string, labels ...string) string {
	return long(expr, "or on () "+labelled(zero, labels...))
}

// orTargets adds a series for each target that has none in expr, which has ranks: that of a blind
// one, and 0 of a clear one. The label said says which. The labels blank, whose cells are links,
// are a space: nothing to click, and the column is there.
func orTargets(expr, said string, blank ...string) string {
	return orTargetsWith(fmt.Sprint(rankBlind), expr, said, blank...)
}

// orTargetsNothing is orTargets for numbers: a blind target has NaN.
func orTargetsNothing(expr, said string, blank ...string) string {
	return orTargetsWith("NaN", expr, said, blank...)
}

func orTargetsWith(rank, expr, said string, blank ...string) string {
	var labels []string
	for _, label := range blank {
		labels = append(labels, label, " ")
	}
	return long(expr,
		"or "+rank+" * "+labelled(blind(), append(slices.Clone(labels), said, "unknown: the target is blind")...),
		"or on (target) "+labelled(clearByTarget(), append(labels, said, "none")...))
}

// now keeps what is above zero.
func now(expr string) string { return expr + " > 0" }

// inRange is a function over the chosen time, of a bounded number of samples however long it is.
func inRange(function, expr string) string {
	return fmt.Sprintf("%s_over_time(%s[$__range:$__interval])", function, expr)
}

// ranks is the rank of the series of a metric with a label severity.
func ranks(metric, matchers string, over func(string) string) string {
	var out []string
	for _, s := range severities() {
		out = append(out, fmt.Sprintf("%d * %s", s.rank, over(where(metric, fmt.Sprintf("%s, severity=%q", matchers, s.name)))))
	}
	return strings.Join(out, " or ")
}

// ranked replaces the values of series with target and attack_type by the rank of the type. A type
// without an info series is unknown, and is not lost.
func ranked(expr string) string {
	return rankedBy(expr, func(s string) string { return s })
}

func rankedBy(expr string, over func(string) string) string {
	return long(
		"(", "  0 * ("+expr+") + on (target, attack_type) group_left ()",
		"  max by (target, attack_type) ("+ranks("abs_attack_type_info", target, over)+")",
		")",
		fmt.Sprintf("or 0 * (%s) + %d", expr, rankPageable))
}

// began is when what expr has was first seen, in milliseconds since 1970 as Grafana's dates are.
func began(keys, metric, matchers string) string {
	return "1000 * min by (" + keys + ") (" + where(metric, matchers) + ")"
}

// quantiles are the percentiles of a histogram, each under its name.
func quantiles(histogram, matchers string) []query {
	var out []query
	for _, q := range []struct{ of, name string }{{"0.5", "half"}, {"0.9", "9 in 10"}, {"0.99", "99 in 100"}} {
		out = append(out, query{fmt.Sprintf("histogram_quantile(%s, %s)", q.of, gain("le", histogram+"_bucket", matchers)), q.name})
	}
	return slices.Clip(out)
}

// setting is a duration that the exporter is configured with: a limit that is drawn.
func setting(name string) query {
	return query{"min(" + where("abs_exporter_config_seconds", target+fmt.Sprintf(", setting=%q", name)) + ")", "limit"}
}

// where is a metric with its matchers.
func where(metric, matchers string) string { return metric + "{" + matchers + "}" }

// long joins the lines of a query.
func long(lines ...string) string { return strings.Join(lines, "\n") }

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }
