package build

import "strings"

// The variables as they stand in queries.
const (
	target  = `target=~"$target"`
	attack  = `target=~"$target", attack_type=~"$attack_type", api=~"$api"`
	anomaly = `target=~"$target", anomaly_type=~"$attack_type", api=~"$api"`
	ofAPI   = `target=~"$target", api=~"$api"`
	ofToken = `target=~"$target", token="$token"`
)

// Tags of all dashboards; the links between them go by the first.
const tag = "abs-exporter"

func prometheus() *source { return &source{"prometheus", "${datasource}"} }

// query is one query of a panel and the text that names each series of its answer.
type query struct{ expr, legend string }

func panel(kind, title, description string, w, h int, queries ...query) *Panel {
	p := &Panel{
		Type: kind, Title: title, Description: description, GridPos: GridPos{W: w, H: h}, Datasource: prometheus(),
		FieldConfig: &fieldSet{Defaults: object{}, Overrides: []override{}},
	}
	for i, q := range queries {
		p.Targets = append(p.Targets, Target{
			RefID: string(rune('A' + i)), Expr: q.expr, LegendFormat: q.legend, Format: "time_series",
			Range: true, EditorMode: "code", Datasource: prometheus(),
		})
	}
	return p
}

func (p *Panel) instant(format string) *Panel {
	for i := range p.Targets {
		p.Targets[i].Instant, p.Targets[i].Range, p.Targets[i].Format = true, false, format
	}
	return p
}

// with sets a default of the fields.
func (p *Panel) with(name string, value any) *Panel {
	p.FieldConfig.Defaults[name] = value
	return p
}

func (p *Panel) painted(paints []paint) *Panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, painted(paints)...)
	return p
}

// column changes how one column of a table is shown.
func (p *Panel) column(name string, properties ...object) *Panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{object{"id": "byName", "options": name}, properties})
	return p
}

// stat is one number, of now: over a range it would show the last all-clear of an exporter that is
// gone. The colour is a judgement where thresholds has more than one.
func stat(title, description, unit string, thresholds object, q query) *Panel {
	p := panel("stat", title, description, 4, 4, q).instant("time_series")
	if unit == "short" {
		unit = "locale" // a number of one panel has room for all its digits
		p.with("decimals", 0)
	}
	p.with("unit", unit).with("thresholds", thresholds).with("color", object{"mode": "thresholds"}).with("noValue", "unknown")
	p.says(object{"type": "special", "options": object{"match": "null", "result": object{"index": 0, "text": "unknown", "color": colourWarning}}})
	p.Options = object{
		"colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "value",
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
	}
	return p
}

// wide sets the width of a panel.
func (p *Panel) wide(w int) *Panel {
	p.GridPos.W = w
	return p
}

// also adds queries to a panel of one number: each of its numbers then has its name.
func (p *Panel) also(queries ...query) *Panel {
	for i, q := range queries {
		t := p.Targets[0]
		t.RefID, t.Expr, t.LegendFormat = "BCDE"[i:i+1], q.expr, q.legend
		p.Targets = append(p.Targets, t)
	}
	p.Options["textMode"], p.Options["orientation"] = "value_and_name", "horizontal"
	return p
}

// says adds a text shown in place of a value. No value at all would have the colour of the lowest
// threshold, so it gets a text too.
func (p *Panel) says(mapping object) *Panel {
	said, _ := p.FieldConfig.Defaults["mappings"].([]object)
	return p.with("mappings", append(said, mapping))
}

// otherwise sets the text shown for NaN: there is no number, and that is as it should be.
func (p *Panel) otherwise(text string) *Panel {
	p.Options["reduceOptions"].(object)["calcs"] = []string{"last"} // lastNotNull passes over NaN
	return p.says(object{"type": "special", "options": object{"match": "nan", "result": object{"index": 1, "text": text, "color": colourNothing}}})
}

// lines are series over time, of names that are known beforehand.
func lines(title, description, unit string, w, h int, queries ...query) *Panel {
	p := panel("timeseries", title, description, w, h, queries...)
	p.Interval = "1m"
	p.with("unit", unit).with("min", 0).with("color", fixed(colourTraffic)).with("noValue", "unknown")
	p.with("custom", object{
		"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "fillOpacity": 10, "showPoints": "never",
		"spanNulls": false, "axisSoftMin": 0, "axisSoftMax": 1, "stacking": object{"mode": "none", "group": "A"},
	})
	if unit != "short" {
		delete(p.FieldConfig.Defaults["custom"].(object), "axisSoftMax")
	}
	p.Options = object{
		"legend":  object{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	return p
}

// stacked puts the series on top of one another: they add up.
func (p *Panel) stacked() *Panel {
	custom := p.FieldConfig.Defaults["custom"].(object)
	custom["stacking"] = object{"mode": "normal", "group": "A"}
	custom["fillOpacity"], custom["lineWidth"] = 60, 1
	return p
}

// rows are amounts over time, a row for each name. The panel writes numbers only into cells where
// they fit, so there are none.
func rows(title, description, scale string, h int, q query) *Panel {
	p := panel("status-history", title, description, 12, h, q)
	p.MaxDataPoints, p.Interval = 48, "1m" // more than a cell for each few pixels is refused by the panel
	p.with("unit", "locale").with("decimals", 0).with("color", object{"mode": scale}).with("min", 0).with("noValue", "unknown")
	p.with("custom", object{"fillOpacity": 90, "lineWidth": 0})
	p.Options = object{
		"showValue": "never", "rowHeight": 0.9, "colWidth": 0.96,
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": false},
		"tooltip": object{"mode": "single", "sort": "none"},
	}
	return p
}

// numbered writes the numbers into the cells: they are small.
func (p *Panel) numbered() *Panel {
	p.Options["showValue"] = "auto"
	return p
}

// bars are amounts now, the largest first.
func bars(title, description string, w, h int, q query) *Panel {
	p := panel("bargauge", title, description, w, h, q).instant("time_series")
	p.with("unit", "locale").with("decimals", 0).with("min", 0).with("color", fixed(colourTraffic)).with("noValue", "unknown")
	p.with("thresholds", steps(colourTraffic))
	p.Options = object{
		"displayMode": "basic", "orientation": "horizontal", "showUnfilled": true, "valueMode": "text",
		"minVizHeight": 14, "minVizWidth": 8, "namePlacement": "auto", "sizing": "auto", "text": object{"titleSize": 12, "valueSize": 13},
		"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		"legend":        object{"displayMode": "list", "placement": "bottom", "showLegend": false},
	}
	return p
}

// table is the present state, one line for each series. names are the columns in order, each with
// its title; one without a title is not shown.
func table(title, description string, w, h int, sortBy string, names [][2]string, queries ...query) *Panel {
	p := panel("table", title, description, w, h, queries...).instant("table")
	p.with("unit", "string").with("noValue", "unknown").with("color", fixed("text"))
	p.with("custom", object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false, "filterable": true})
	p.Options = object{"showHeader": true, "cellHeight": "sm", "footer": object{"show": false, "reducer": []string{"sum"}, "fields": ""}}
	order, renamed, hidden := object{}, object{}, object{"Time": true}
	for i, n := range names {
		if n[1] == "" {
			hidden[n[0]] = true
			continue
		}
		order[n[0]], renamed[n[0]] = i, n[1]
	}
	if len(queries) > 1 {
		p.Transformations = append(p.Transformations, object{"id": "merge", "options": object{}})
	}
	p.Transformations = append(p.Transformations,
		object{"id": "organize", "options": object{"excludeByName": hidden, "indexByName": order, "renameByName": renamed}},
		object{"id": "sortBy", "options": object{"fields": object{}, "sort": []object{{"field": sortBy, "desc": false}}}})
	return p
}

// text is a note.
func text(title, description, markdown string, w, h int) *Panel {
	p := panel("text", title, description, w, h)
	p.Datasource, p.FieldConfig = nil, nil
	p.Options = object{"mode": "markdown", "content": markdown, "code": object{"language": "plaintext", "showLineNumbers": false, "showMiniMap": false}}
	return p
}

// row is the title above the panels that follow.
func row(title string) *Panel {
	open := false
	return &Panel{Type: "row", Title: title, GridPos: GridPos{W: 24, H: 1}, Collapsed: &open, Panels: &[]struct{}{}}
}

// layout sets the positions of panels, from left to right and from top to bottom.
func layout(panels ...*Panel) []*Panel {
	x, y, height := 0, 0, 0
	for i, p := range panels {
		if x+p.GridPos.W > 24 {
			x, y, height = 0, y+height, 0
		}
		p.ID, p.GridPos.X, p.GridPos.Y = i+1, x, y
		x += p.GridPos.W
		height = max(height, p.GridPos.H)
	}
	return panels
}

// severityColumn colours the cells of a column by their text.
func severityColumn() object {
	options := object{}
	for i, s := range severities() {
		options[s.name] = object{"index": i, "color": s.colour}
	}
	return object{"id": "mappings", "value": []object{{"type": "value", "options": options}}}
}

// ago shows a time in seconds since 1970 as how long ago it was; NaN is no time.
func ago() []object {
	return []object{
		{"id": "unit", "value": "dateTimeFromNow"},
		{"id": "mappings", "value": []object{{"type": "special", "options": object{"match": "nan", "result": object{"index": 0, "text": "–"}}}}},
		{"id": "custom.width", "value": 130},
	}
}

// toToken is the link of a cell or a bar to the token's dashboard.
func toToken(token string) object {
	return object{"id": "links", "value": []object{{
		"title": "this token",
		"url":   "/d/" + TokenUID + "?var-token=" + token + "&${datasource:queryparam}&${target:queryparam}&${range:queryparam}&${__url_time_range}",
	}}}
}

// where is a metric with its matchers.
func where(metric, matchers string) string { return metric + "{" + matchers + "}" }

// long joins the lines of a query.
func long(lines ...string) string { return strings.Join(lines, "\n") }
