package metrics

import (
	"cmp"
	"fmt"
	"strings"
	"testing"
)

// reference returns docs/metrics.md.
func reference() string {
	var b strings.Builder
	b.WriteString(quoted.Replace(referenceHead))
	b.WriteString("\n## Labels\n\n| label | its value |\n|---|---|\n")
	for _, l := range labelMeanings() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", l.name, cell(l.meaning))
	}
	for _, c := range chapters() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", c.title, quoted.Replace(strings.TrimSpace(c.intro)))
		b.WriteString("| name | type | unit | labels | meaning | stability |\n|---|---|---|---|---|---|\n")
		for _, f := range Table() {
			if f.Group == c.group {
				writeRow(&b, f)
			}
		}
	}
	b.WriteString(quoted.Replace(referenceEnd))
	return b.String()
}

// quoted replaces two single quotes by a backquote, which raw strings cannot contain.
var quoted = strings.NewReplacer("''", "`")

const referenceHead = `<!-- Generated from the table in metrics/table.go by "make docs". Do not edit. -->
# Metrics

Every metric of the exporter, made from the table that serves them. Names, labels and meanings are kept: the set grows
by adding. A family marked *experimental* may still change.

## Words

| word | meaning |
|---|---|
| **target** | One ABS deployment that the exporter reads. One process reads one or many. |
| **report** | One answer of ABS: ''oauthtokens'' (token metrics), ''forensics'' (one token), one of the attack reports ''attacklist'' and ''attack'' (which tokens are flagged), or ''admin'' (ABS's own state). |
| **window** | The time that a report covers, to the minute, in the target's time zone. Never past now. |
| **slot** | A window aligned to the clock that the counters are fed from (''--collect.slot'' long), read again until it is settled. |
| **token id** | The stand-in for a token, everywhere: 16 hex digits, the first 64 bits of HMAC-SHA256(key, token). The token itself never leaves the process, except towards ABS. |
| **tracked** | A token with series of its own. All others share ''token="_other"''. |
| **flagged** | A token with an active attack. The attack comes from the token; the API is under attack. |

## Common to all of them

- Every series has the label ''target''. The exceptions are ''abs_exporter_build_info'',
  ''abs_exporter_log_lines_dropped_total'', ''abs_exporter_config_last_reload_*'' and ''abs_exporter_otlp_*'', which are
  about the process, as are client_golang's ''go_*'', ''process_*'' and ''promhttp_*''.
- **Labels of your own.** Every series with ''target'' also has the labels that ''labels'' of the target sets, such as
  ''env="prod"''. With other labels they are other series, which begin at 0.
- **Zero-initialised.** A new counter series of requests or detections is served as 0 for one full cycle before its
  first value, so that every Prometheus sees the first increase, without a feature flag. A series restored from the
  state directory continues from its value.
- **''_other''.** Tokens beyond ''--series.max-tokens'', and values of ''method'', ''api'', ''device'', ''ip'' and ''url''
  beyond ''--series.max-values'', share the value ''_other'', so that sums are exact whatever the limits.
  ''abs_exporter_series_overflow_requests_total'' counts these requests. Findings share ''_other'' beyond 1,000 pairs of
  type and API ([limits](forensics.md#limits)).
- **128 bytes.** No value of a label is longer, except for ''target'': names that ABS reports are cut.
- **Created timestamps** are when a counter's counting began. Protobuf and OTLP have them; OpenMetrics text only with
  ''--web.openmetrics-created'', because a Prometheus without the feature for them stores the ''_created'' lines as
  series.
- **Increases, not instants.** ABS works in ten-minute batches, so counters step. Query increases over half an hour or
  more: ''increase(abs_requests_total[1h])''.
- In OpenMetrics and in OTLP alike, names and values are the same as in the text format.
`

const referenceEnd = `
## Also there

client_golang's ''go_*'' (the Go runtime), ''process_*'' (the process, on Linux) and ''promhttp_*'' (the scrapes
themselves), without the label ''target''. Their names and meanings are client_golang's.
`

// chapter is a group of families in the reference.
type chapter struct {
	group        Group
	title, intro string
}

func chapters() []chapter {
	return []chapter{
		{GroupCounters, "Counters: each request once", `
Each request that ABS reports within the settle time (''--collect.settle'') is counted once. Requests that are read
again, late, or removed by ABS and reported again are not counted twice, and no counter decreases while it exists. The
increases of the series by token, method, API or device add up to the increase of the total that they split. Only where
ABS splits fewer requests than it totals, the difference is under no value.`},
		{GroupWindow, "Gauges: what ABS reports about the sliding window", `
The window reaches ''--collect.window'' back from the last cycle. While reports fail, these gauges keep their last value,
for ''--collect.window'' at most; then they are absent. A failed request ends no attack. A token that is no longer in a
complete window is no longer flagged.`},
		{GroupState, "Gauges: ABS's own state", `
From ABS's admin report, requested every ''--admin.interval''; absent with ''--no-admin.enabled'', where ABS refuses the
report, and where its answer has no such member. While the report fails, these gauges keep their last value, for
''--collect.window'' at most. The label ''api'' has the first 1,000 APIs, whatever ''--series.max-values'' is.`},
		{GroupHealth, "The exporter's own health", `
What to monitor of the exporter itself. Counters and histograms exist from the start, with every value of a closed set,
at 0.`},
		{GroupPush, "Pushing over OTLP", `
Absent unless OTLP is on ([OpenTelemetry](opentelemetry.md)). They are about the process, so they have no ''target''.`},
	}
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

// labelMeanings returns the meaning of each label for the reference, in the reference's order.
func labelMeanings() []struct{ name, meaning string } {
	return []struct{ name, meaning string }{
		{LabelTarget, "the ABS deployment: `--abs.name`, by default the host of `--abs.url`"},
		{"token", "the token id of an access token (never the token), or `_other`"},
		{"method", "HTTP method as ABS reports it, or `_other`"},
		{"api", "name of the API as ABS reports it, or `_other`; on attacks and anomalies `all` is ABS's own word for one across APIs"},
		{"device", "device as ABS reports it, or the family of a user agent (`--series.device-families`), or `_other`"},
		{"ip", "client IP address as ABS reports it, or `_other`"},
		{"url", "template of the URL's path: ids, dates, e-mail addresses and all that looks like a credential are replaced, such as `/shop/{id}`; or `_other`"},
		{"attack_type", "name of the attack type, in ABS's spelling"},
		{"anomaly_type", "name of the anomaly type, in ABS's spelling"},
		{"id", "ABS's number of the attack type; empty if it is not known"},
		{"setting", "the name of a duration that is configured"},
		{"category", "what the attack aims at, from the exporter's catalogue; empty if it is not known"},
		{"severity", "the severity of the attack type by the exporter's catalogue or the configuration, not by ABS; `unknown` for a type that is in neither"},
		{"report", "the requested report: `oauthtokens` is token metrics, `forensics` is one token, `attacklist` and `attack` are the attack reports, which name flagged tokens, `admin` is ABS's own state"},
		{"reason", "why the request failed: keys refused (`auth`), no complete answer in time (`timeout`), no connection or TLS (`connection`), another HTTP status (`status`), a body that is not the requested report (`decode`), a body above the limit (`size`), anything else (`other`); of a row that was left out: what is wrong with it (`token`, `count`, `shape`)"},
		{"field", "what differs between the report and the request: `dates` or `token`"},
		{"state", "of a slot: `open` (read again until settled) or `pending` (still to be read after a pause); of the forensics of a token, which is in one of them: `covered` (answered since the window report before the last one), `failed` (the last call failed), `skipped` (ABS accepts no call about it) or `due` (all others)"},
		{"dimension", "the label whose limit of series was reached"},
		{"signal", "what is pushed over OTLP: `metrics` or `logs` (events)"},
		{"outcome", "what the OTLP receiver did with a request: accepted all of it (`success`), refused some of it (`partial`), accepted none of it (`failure`)"},
		{"tier", "the tier of ABS's licence, such as `Free` or `Subscription`"},
		{"api_type", "ABS's type of an API: `regular`, `decoy-incontext` or `decoy-outcontext`; empty if ABS does not say"},
		{"tracks_tokens", "whether ABS tracks OAuth2 tokens on the API: `true` or `false`; empty if ABS does not say"},
		{"node", "address of a node of ABS or of its MongoDB, as ABS reports it; a number where it reports none"},
		{"os", "operating system of a node of ABS; empty if ABS does not say"},
		{"timezone", "the time zone of ABS, in its own word"},
		{"version", "the exporter's version"},
		{"revision", "the commit it was built from"},
		{"goversion", "the Go version it was built with"},
	}
}

// Every label has one meaning, and every meaning a family.
func TestLabelsHaveAMeaning(t *testing.T) {
	used := map[string]bool{}
	for _, f := range Table() {
		for _, name := range f.Labels {
			used[name] = true
		}
	}
	meanings := map[string]bool{}
	for _, l := range labelMeanings() {
		if l.meaning == "" || meanings[l.name] {
			t.Errorf("label %s: no meaning, or two", l.name)
		}
		meanings[l.name] = true
		if !used[l.name] {
			t.Errorf("label %s has a meaning, but no family has it", l.name)
		}
	}
	for name := range used {
		if !meanings[name] {
			t.Errorf("label %s has no meaning in the reference", name)
		}
	}
}

func TestReferenceIsCurrent(t *testing.T) {
	want := reference()
	for _, f := range Table() {
		if !strings.Contains(want, "| `"+f.Name+"` |") {
			t.Errorf("%s is not in the reference", f.Name)
		}
	}
	golden(t, "../docs/metrics.md", []byte(want))
}
