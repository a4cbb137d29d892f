package build

import "github.com/abs-exporter/abs-exporter/metrics"

// Colours mean the same in every panel. Those of the status are Okabe and Ito's; those of
// categories are none of the status. All can be distinguished with any kind of colour blindness,
// which a test computes. Names that are not known beforehand, such as APIs, get no colours: their
// panels write the name beside a row, and a scale from light to dark shows the amount.
const (
	colourCritical = "#D55E00"
	colourWarning  = "#E69F00"
	colourInfo     = "#56B4E9"
	colourUnknown  = "#CC79A7"
	colourGood     = "#009E73"
	colourNothing  = "#808080" // there is none, or it does not matter

	colourTraffic = "#4477AA" // requests, and whatever is no judgement
)

// The scales of amounts.
const (
	scaleTraffic   = "continuous-blues"
	scaleAttacks   = "continuous-reds"
	scaleAnomalies = "continuous-purples"
)

// paint is the colour of a series, by its name.
type paint struct{ name, colour string }

func severities() []paint {
	return []paint{
		{"critical", colourCritical}, {"warning", colourWarning}, {"info", colourInfo}, {"unknown", colourUnknown}, {"none", colourNothing},
	}
}

// categories returns the colours of names that are known beforehand, in the order of their use.
func categories() []string {
	return []string{colourTraffic, "#DDCC77", "#60BFA7", "#9D49F2", "#647339", "#49F2F2", "#F279F2", "#8C4669"}
}

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

func reports() []paint {
	return categorised("oauthtokens", "forensics", "attacklist", "attack", "admin")
}

func reasons() []paint {
	return categorised("auth", "timeout", "connection", "status", "decode", "size", "other")
}

func dimensions() []paint { return categorised("token", "method", "api", "device", "ip") }

func percentiles() []paint { return categorised("9 in 10", "half", "99 in 100") }

func slotStates() []paint {
	return []paint{{metrics.SlotOpen, colourTraffic}, {metrics.SlotPending, colourWarning}}
}

func forensicsStates() []paint {
	return []paint{
		{metrics.ForensicsCovered, colourTraffic},
		{metrics.ForensicsDue, categories()[1]},
		{metrics.ForensicsSkipped, "#BBBBBB"},
		{metrics.ForensicsFailed, colourCritical},
	}
}

// Palettes returns the sets of colours that one panel uses together, by name, for the test.
func Palettes() map[string][]string {
	all := map[string][]string{}
	for name, paints := range map[string][]paint{
		"severities": severities(), "methods": methods(), "reports": reports(), "reasons": reasons(),
		"dimensions": dimensions(), "percentiles": percentiles(), "slots": slotStates(), "forensics": forensicsStates(),
	} {
		for _, p := range paints {
			all[name] = append(all[name], p.colour)
		}
	}
	all["status"] = []string{colourGood, colourWarning, colourCritical}
	all["timeline"] = []string{colourCritical, colourWarning, colourNothing}
	return all
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
