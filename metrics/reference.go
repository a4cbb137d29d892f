package metrics

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// chapter is a group of families in the reference.
type chapter struct {
	group        Group
	title, intro string
}

func chapters() []chapter {
	return []chapter{
		{
			GroupCounters, "Counters: each request once",
			"Each request that ABS reports within the settle time (`--collect.settle`) is counted once. Requests that are read " +
				"again, late, or removed by ABS and reported again are not counted twice, and no counter decreases while it exists. " +
				"The increases of the series by token, method, API or device add up to the increase of the total that they split; " +
				"only where ABS splits fewer requests than it totals, the difference has no value.",
		},
		{
			GroupWindow, "Gauges: what ABS reports about the sliding window",
			"The window reaches `--collect.window` back from the last cycle. While reports fail, these gauges keep their last value, " +
				"for `--collect.window` at most; then they are absent. A failed request ends no attack. A token that is no longer in a " +
				"complete window is no longer flagged.",
		},
		{
			GroupHealth, "The exporter's own health",
			"What to monitor of the exporter itself. Counters and histograms exist from the start, with every value of a closed " +
				"set, at 0.",
		},
		{
			GroupPush, "Pushing over OTLP",
			"Absent unless OTLP is on ([OpenTelemetry](opentelemetry.md)). They are about the process, so they have no `target`.",
		},
	}
}

const referenceHead = `<!-- Generated from the table in metrics/table.go by "make docs". Do not edit. -->
# Metrics

Every metric of the exporter, made from the table that serves them. Names, labels and meanings are kept: the set grows by
adding. A family marked *experimental* may still change.

## Words

| word | meaning |
|---|---|
| **target** | One ABS deployment that the exporter reads. One process reads one or many. |
| **report** | One answer of ABS: ` + "`oauthtokens`" + ` (token metrics), ` + "`forensics`" + ` (one token), or one of the attack reports ` + "`attacklist`" + ` and ` + "`attack`" + ` (which tokens are flagged). |
| **window** | The time that a report covers, to the minute, in the target's time zone. Never past now. |
| **slot** | A window aligned to the clock that the counters are fed from (` + "`--collect.slot`" + ` long), read again until it is settled. |
| **token id** | The stand-in for a token, everywhere: 16 hex digits, the first 64 bits of HMAC-SHA256(key, token). The token itself never leaves the process, except towards ABS. |

## Common to all of them

- Every series has the label ` + "`target`" + `. The exceptions are ` + "`abs_exporter_build_info` and `abs_exporter_otlp_*`" + `, which are about the process, as are
  client_golang's ` + "`go_*`, `process_*` and `promhttp_*`" + `.
- **Zero-initialised.** A new counter series of requests or detections is served as 0 for one full cycle before its first
  value, so that every Prometheus sees the first increase, without a feature flag. A series restored from the state
  directory continues from its value.
- **` + "`_other`" + `.** Tokens beyond ` + "`--series.max-tokens`" + `, and values of ` + "`method`, `api`, `device` and `ip`" + ` beyond
  ` + "`--series.max-values`" + `, share the value ` + "`_other`" + `, so that sums are exact whatever the limits.
  ` + "`abs_exporter_series_overflow_requests_total`" + ` counts these requests.
- **Created timestamps** are when a counter's counting began. Protobuf and OTLP have them; OpenMetrics text
  only with ` + "`--web.openmetrics-created`" + `, because a Prometheus without the feature for them stores the ` + "`_created`" + ` lines as series.
- **Increases, not instants.** ABS works in ten-minute batches, so counters step. Query increases over half an hour or
  more: ` + "`increase(abs_requests_total[1h])`" + `.
- In OpenMetrics and in OTLP alike, names and values are the same as in the text format.
`

// WriteReference writes the reference of all metrics, docs/metrics.md, as Markdown.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(referenceHead)

	b.WriteString("\n## Labels\n\n| label | its value |\n|---|---|\n")
	for _, l := range labelMeanings() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", l.name, cell(l.meaning))
	}

	for _, c := range chapters() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", c.title, c.intro)
		b.WriteString("| name | type | unit | labels | meaning | stability |\n|---|---|---|---|---|---|\n")
		for _, f := range Table() {
			if f.Group == c.group {
				writeRow(&b, f)
			}
		}
	}

	b.WriteString("\n## Also there\n\n" +
		"client_golang's `go_*` (the Go runtime), `process_*` (the process, on Linux) and `promhttp_*` (the scrapes themselves), " +
		"without the label `target`. Their names and meanings are client_golang's.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeRow(b *strings.Builder, f *Family) {
	labels := make([]string, 0, len(f.Labels))
	for _, name := range f.Labels {
		label := "`" + name + "`"
		if values := f.LabelValues[name]; len(values) > 0 {
			label += " (`" + strings.Join(values, "`, `") + "`)"
		}
		labels = append(labels, label)
	}
	meaning := f.Help
	if f.Note != "" {
		meaning += " " + f.Note
	}
	if len(f.Buckets) > 0 {
		meaning += " Classic buckets: " + strings.Trim(strings.ReplaceAll(fmt.Sprint(f.Buckets), " ", ", "), "[]") + "."
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n",
		f.Name, f.Type, cmp.Or(f.Unit, "–"), strings.Join(labels, ", "), cell(meaning), f.Stability)
}

// cell escapes text for a cell of a Markdown table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) }
