package build

import (
	"fmt"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Colours mean the same in every panel. All can be distinguished with any kind of colour blindness,
// and stand out from the backgrounds of Grafana's dark and light themes; on those of judgements
// Grafana's white text can be read. A test computes all three. Text itself is never coloured: no
// colour can be read on both backgrounds. Names that are not known beforehand, such as APIs, get no
// colours: their panels write the name beside a row, and the colour shows the amount.
const (
	colourCritical = "#CB1339"
	colourUnknown  = "#802FFE" // a type that the catalogue lacks
	colourWarning  = "#AC5C00"
	colourInfo     = "#206BE1"
	colourGood     = "#157842"
	colourNothing  = "#6A736F" // there is none, or it does not matter
	colourAnomaly  = "#8251AF"
	colourBlind    = "#9D5995" // nobody knows

	colourTraffic = "#0196FC" // requests, and whatever is no judgement
)

// paint is the colour of a series, by its name.
type paint struct{ name, colour string }

// severity is how bad an attack type is. Panels work with the rank, which sorts and compares as
// names do not, and show the name.
type severity struct {
	rank         int
	name, colour string
}

// Ranks beside those of severities.
const (
	rankNone     = 0
	rankPageable = 3 // from here on an attack pages
	rankBlind    = 5
	rankAnomaly  = 6 // beside attacks in a timeline
)

// severities returns the severities of attack types, the worst first. An unknown type pages as a
// critical one does.
func severities() []severity {
	return []severity{
		{4, "critical", colourCritical}, {rankPageable, "unknown", colourUnknown}, {2, "warning", colourWarning}, {1, "info", colourInfo},
	}
}

// rankTexts shows a rank as its name, in its colour.
func rankTexts() []object {
	options := object{}
	all := append(severities(), severity{rankNone, "none", colourNothing}, severity{rankBlind, "blind", colourBlind}, severity{rankAnomaly, "anomaly", colourAnomaly})
	for i, s := range all {
		options[fmt.Sprint(s.rank)] = object{"index": i, "text": s.name, "color": s.colour}
	}
	return []object{{"type": "value", "options": options}}
}

// values shows 0 and 1 as words, each in its colour.
func values(zero, zeroColour, one, oneColour string) object {
	return object{"type": "value", "options": object{
		"0": object{"index": 0, "text": zero, "color": zeroColour}, "1": object{"index": 1, "text": one, "color": oneColour},
	}}
}

// special shows a text in place of "null" or "nan".
func special(match string, index int, text, colour string) object {
	return object{"type": "special", "options": object{"match": match, "result": object{"index": index, "text": text, "color": colour}}}
}

func severityPaints() []paint {
	var out []paint
	for _, s := range severities() {
		out = append(out, paint{s.name, s.colour})
	}
	return out
}

// categories returns the colours of names that are known beforehand, in the order of their use.
func categories() []string {
	return []string{colourTraffic, "#C80473", "#077826", "#A284B2", "#504BFA", "#73A015", "#C606C0", "#D47976"}
}

// colourLimit is the colour of a limit beside what it limits.
func colourLimit() string { return categories()[7] }

func categorised(names ...string) []paint {
	out := make([]paint, len(names))
	for i, name := range names {
		out[i] = paint{name, categories()[i]}
	}
	return out
}

func methods() []paint {
	return categorised("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", metrics.Other)
}

func reports() []paint { return categorised(metrics.ReportFailures.LabelValues["report"]...) }
func reasons() []paint { return categorised(metrics.ReportFailures.LabelValues["reason"]...) }

func dimensions() []paint { return categorised(metrics.SeriesOverflow.LabelValues["dimension"]...) }

func percentiles() []paint { return categorised("half", "9 in 10", "99 in 100") }

func slotStates() []paint {
	return []paint{{metrics.SlotOpen, colourTraffic}, {metrics.SlotPending, colourWarning}}
}

func forensicsStates() []paint {
	return []paint{
		{metrics.ForensicsCovered, colourTraffic},
		{metrics.ForensicsDue, categories()[5]},
		{metrics.ForensicsSkipped, colourNothing},
		{metrics.ForensicsFailed, colourCritical},
	}
}

func outcomes() []paint {
	return []paint{{metrics.OutcomeSuccess, colourTraffic}, {metrics.OutcomePartial, colourWarning}, {metrics.OutcomeFailure, colourCritical}}
}

// amounts are colours of amounts, the least first.
type amounts [3]string

var (
	ofTraffic   = amounts{"#8293AC", "#058CC8", "#5C57CD"}
	ofAttacks   = amounts{"#FF5C0D", "#CA5F50", "#CD1110"}
	ofAnomalies = amounts{"#BE79C6", "#6379F2", "#7B2FFF"}
)

// counted are steps for numbers of attacks.
func (a amounts) counted() object { return steps(colourNothing, 0.5, a[0], 10, a[1], 100, a[2]) }

// shared are steps by the share of the largest amount that the panel shows: how much is much
// traffic is not known.
func (a amounts) shared() object {
	s := steps(colourNothing, 0.1, a[0], 25, a[1], 75, a[2])
	s["mode"] = "percentage"
	return s
}

// Palettes returns the sets of colours that one panel uses together, by name, for the test.
func Palettes() map[string][]string {
	all := map[string][]string{}
	for name, paints := range map[string][]paint{
		"methods": methods(), "reports": reports(), "reasons": reasons(), "dimensions": dimensions(),
		"percentiles": append(percentiles(), paint{"limit", colourLimit()}), "slots": slotStates(), "forensics": forensicsStates(), "outcomes": outcomes(),
	} {
		for _, p := range paints {
			all[name] = append(all[name], p.colour)
		}
	}
	for name, a := range map[string]amounts{"traffic": ofTraffic, "attacks": ofAttacks, "anomalies": ofAnomalies} {
		all[name] = append(a[:], colourNothing)
	}
	all["judgements"] = Judgements()
	return all
}

// Judgements returns the colours that have text on them.
func Judgements() []string {
	return []string{colourCritical, colourUnknown, colourWarning, colourInfo, colourGood, colourNothing, colourBlind, colourAnomaly}
}

func fixed(colour string) object { return object{"mode": "fixed", "fixedColor": colour} }

func painted(paints []paint) []override {
	out := make([]override, len(paints))
	for i, p := range paints {
		out[i] = override{object{"id": "byName", "options": p.name}, []object{{"id": "color", "value": fixed(p.colour)}}}
	}
	return out
}

// steps are thresholds: the first colour from the bottom, each next from its value on.
func steps(colours ...any) object {
	list := []object{{"color": colours[0], "value": nil}}
	for i := 1; i+1 < len(colours); i += 2 {
		list = append(list, object{"value": colours[i], "color": colours[i+1]})
	}
	return object{"mode": "absolute", "steps": list}
}

// limit is the number at which an alert fires, from the table that its rule is made from. Its panel
// judges by the same. It panics where there is no such threshold, and the files are not written.
func limit(name string) float64 {
	t, ok := alerts.FindThreshold("abs:threshold_" + name)
	if !ok {
		panic("dashboards: no threshold " + name)
	}
	return t.Value
}
