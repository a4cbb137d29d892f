package build

// events returns the dashboard of the log records that are pushed over OTLP to a Loki. It is apart
// from the others, which work without one.
func events() *Dashboard {
	// As Loki names what it receives over OTLP: the resource's service.name is a label, attributes are
	// structured metadata.
	const (
		all   = `{service_name="abs-exporter"} | target=~"$target" | token=~"(?i).*${token}.*"`
		began = `{service_name="abs-exporter"} |= "began" | target=~"$target" | token=~"(?i).*${token}.*"`
	)
	d := dashboard(EventsUID, "ABS: events",
		"Attacks and anomalies that began or ended, from the log records that abs-exporter pushes over OTLP to a Loki.",
		[]Variable{
			{
				Name: "loki", Label: "Loki", Description: "The Loki that receives the log records of abs-exporter.",
				Type: "datasource", Query: "loki", Options: []object{}, Refresh: 1,
				Current: object{"selected": true, "text": "default", "value": "default"},
			},
			lokiTargets(),
			typed("token", "Token id", "All or part of a token id; empty is every one."),
		}, nil,

		ofLoki(gains("Attacks and anomalies that began, by severity", "How many log records say that an attack or an anomaly began, by severity: ERROR is critical, WARN warning or unknown, INFO info.", "short", 24, 7,
			query{`sum by (severity_text) (count_over_time(` + began + ` [$__auto]))`, "{{severity_text}}"}).
			painted([]paint{{"ERROR", colourCritical}, {"WARN", colourWarning}, {"INFO", colourInfo}})),
		ofLoki(logs("Events", "Each attack and anomaly that began or ended, the newest first. A click on one shows its token id, window and APIs.", 24, 18, query{all, ""})),
	)
	for _, p := range d.Panels {
		p.Interval = ""
	}
	return d
}

// lokiTargets reads no values: an analyst may see events of a target that Prometheus has no more.
func lokiTargets() Variable {
	v := typed("target", "Target", "The name of an ABS deployment, or an expression for several such as shop|bank; .* is all.")
	v.Query, v.Current = ".*", object{"selected": true, "text": ".*", "value": ".*"}
	v.Options = []object{v.Current}
	return v
}

func logs(title, description string, w, h int, q query) *Panel {
	p := panel("logs", title, description, w, h, q)
	p.Options = object{
		"showTime": true, "showLabels": false, "showCommonLabels": false, "wrapLogMessage": true, "prettifyLogMessage": false,
		"enableLogDetails": true, "dedupStrategy": "none", "sortOrder": "Descending",
	}
	return p
}

// ofLoki makes Loki answer the queries of a panel.
func ofLoki(p *Panel) *Panel {
	loki := &source{"loki", "${loki}"}
	p.Datasource = loki
	for i := range p.Targets {
		t := &p.Targets[i]
		t.Datasource, t.QueryType, t.Format = loki, "range", ""
	}
	return p
}
