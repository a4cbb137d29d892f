package build

import "maps"

// The variables as they stand in queries.
const (
	target  = `target=~"$target"`
	attack  = `target=~"$target", attack_type=~"$attack_type", api=~"$api"`
	anomaly = `target=~"$target", anomaly_type=~"$attack_type", api=~"$api"`
	ofAPI   = `target=~"$target", api=~"$api"`
	ofToken = `target=~"$target", token="$token"`
)

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

// column changes how one column of a table is shown, or one series of a graph.
func (p *Panel) column(name string, properties ...object) *Panel {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{object{"id": "byName", "options": name}, properties})
	return p
}

// wide sets the width of a panel.
func (p *Panel) wide(w int) *Panel {
	p.GridPos.W = w
	return p
}

// custom sets options of the fields that only this kind of panel has.
func (p *Panel) custom(options object) *Panel {
	custom, _ := p.FieldConfig.Defaults["custom"].(object)
	if custom == nil {
		custom = object{}
		p.with("custom", custom)
	}
	maps.Copy(custom, options)
	return p
}

// leads makes a click on the panel lead to another dashboard.
func (p *Panel) leads(title, uid string) *Panel {
	p.Links = []Link{{Title: title, URL: to(uid, "${target:queryparam}")}}
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
	p.says(special("null", 0, "unknown", colourBlind), special("nan", 1, "unknown", colourBlind))
	colour, name := "background_solid", "value"
	if len(thresholds["steps"].([]object)) == 1 {
		colour = "none" // a number that is no judgement
	}
	if q.legend != "" {
		name = "value_and_name"
	}
	p.Options = object{
		"colorMode": colour, "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": name,
		"reduceOptions": object{"calcs": []string{"last"}, "fields": "", "values": false},
	}
	return p
}

// says adds texts that are shown in place of values.
func (p *Panel) says(mappings ...object) *Panel {
	said, _ := p.FieldConfig.Defaults["mappings"].([]object)
	return p.with("mappings", append(said, mappings...))
}

// otherwise sets the text shown for NaN: there is no number, and that is as it should be.
func (p *Panel) otherwise(text string) *Panel {
	return p.with("mappings", []object{special("null", 0, "unknown", colourBlind), special("nan", 1, text, colourNothing)})
}

// trend makes a number one of every moment, with a line of the past. Its query has a value at every
// moment, NaN where nobody knows: the last number would else stay.
func (p *Panel) trend() *Panel {
	for i := range p.Targets {
		p.Targets[i].Instant, p.Targets[i].Range = false, true
	}
	p.Options["graphMode"], p.Interval, p.MaxDataPoints = "area", "1m", 60
	return p
}

// ranked shows ranks as severities.
func (p *Panel) ranked() *Panel { return p.judged(rankTexts()...) }

// judged adds texts, each on its colour.
func (p *Panel) judged(mappings ...object) *Panel {
	if p.Type == "stat" {
		p.Options["colorMode"] = "background_solid"
	}
	return p.says(mappings...)
}

// lines are series over time, of names that are known beforehand.
func lines(title, description, unit string, w, h int, queries ...query) *Panel {
	p := panel("timeseries", title, description, w, h, queries...)
	p.Interval = "1m"
	p.with("unit", unit).with("min", 0).with("color", fixed(colourTraffic)).with("noValue", "unknown")
	p.custom(object{
		"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "fillOpacity": 0, "showPoints": "never",
		"spanNulls": false, "axisSoftMin": 0, "stacking": object{"mode": "none", "group": "A"},
	})
	if unit == "short" {
		p.custom(object{"axisSoftMax": 1})
	}
	p.Options = object{
		"legend":  object{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	return p
}

// overTime makes each point of a panel one of its own stretch of time, which is the chosen range or
// longer: the points neither overlap nor leave anything out, however long the time that is shown.
func (p *Panel) overTime() *Panel {
	p.Interval = "$range"
	if p.Type == "timeseries" {
		p.custom(object{"lineInterpolation": "stepBefore"}) // a value is about the time before it
	}
	return p
}

// gains are counters over time, as bars that add up.
func gains(title, description, unit string, w, h int, queries ...query) *Panel {
	p := lines(title, description+" Each bar is about the time before it: the chosen range, or longer where there are too many. Bars add up.", unit, w, h, queries...)
	p.custom(object{"drawStyle": "bars", "barAlignment": -1, "fillOpacity": 100, "lineWidth": 0, "stacking": object{"mode": "normal", "group": "A"}})
	p.Options["legend"].(object)["calcs"] = []string{"sum"}
	p.Interval = "$range"
	return p
}

// limited draws the series named limit as what it is.
func (p *Panel) limited() *Panel {
	return p.column("limit", object{"id": "color", "value": fixed(colourLimit())},
		object{"id": "custom.lineStyle", "value": object{"fill": "dash", "dash": []int{10, 10}}})
}

// rows are amounts over time, a row for each name. The panel writes numbers only into cells where
// they fit, so there are none.
func rows(title, description string, thresholds object, w, h int, q query) *Panel {
	p := panel("status-history", title, description+" Each cell is about the time before it: the chosen range, or longer where there are too many. Cells add up.", w, h, q)
	p.MaxDataPoints, p.Interval = 48, "$range" // more than a cell for each few pixels is refused by the panel
	p.with("unit", "locale").with("decimals", 0).with("min", 0).with("noValue", "unknown")
	p.with("color", object{"mode": "thresholds"}).with("thresholds", thresholds).custom(object{"fillOpacity": 100, "lineWidth": 0})
	p.Options = object{
		"showValue": "never", "rowHeight": 0.9, "colWidth": 0.96,
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": false},
		"tooltip": object{"mode": "single", "sort": "none"},
	}
	return p
}

// timeline shows over time how bad something is, by rank.
func timeline(title, description string, w, h int, queries ...query) *Panel {
	p := panel("state-timeline", title, description, w, h, queries...)
	p.MaxDataPoints, p.Interval = 400, "1m"
	p.with("unit", "none").with("color", object{"mode": "thresholds"}).with("thresholds", steps(colourNothing)).with("noValue", "unknown").ranked()
	p.custom(object{"fillOpacity": 100, "lineWidth": 0, "spanNulls": false})
	p.Options = object{
		"mergeValues": true, "showValue": "auto", "alignValue": "left", "rowHeight": 0.85,
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true},
		"tooltip": object{"mode": "single", "sort": "none"},
	}
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

// heatmap shows how a histogram was filled over time, a row for each bucket.
func heatmap(title, description, unit string, w, h int, q query) *Panel {
	p := panel("heatmap", title, description, w, h, q)
	p.Targets[0].Format = "heatmap"
	p.MaxDataPoints, p.Interval = 48, "$range"
	p.with("unit", unit).with("noValue", "unknown").custom(object{"scaleDistribution": object{"type": "linear"}})
	p.Options = object{
		"calculate": false, "cellGap": 1, "showValue": "never", "filterValues": object{"le": 0.5},
		"color": object{
			"mode": "opacity", "fill": colourTraffic, "scale": "exponential", "exponent": 0.3, "scheme": "Blues", "steps": 64, "reverse": false,
		},
		"rowsFrame": object{"layout": "auto"}, "yAxis": object{"axisPlacement": "left", "unit": "s", "reverse": false},
		"legend": object{"show": true}, "tooltip": object{"mode": "single", "showColorScale": true, "yHistogram": false},
		"exemplars": object{"color": colourCritical},
	}
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
	return &Panel{Type: "row", Title: title, GridPos: GridPos{W: 24, H: 1}, Collapsed: &open, Panels: &[]*Panel{}}
}

// collapsed is the title of panels that are asked for only once somebody opens it.
func collapsed(title string, panels ...*Panel) *Panel {
	r := row(title)
	*r.Collapsed, r.Panels = true, &panels
	return r
}

// layout sets the positions of panels, from left to right and from top to bottom.
func layout(panels ...*Panel) []*Panel {
	id, y := 0, 0
	place(panels, &id, &y)
	return panels
}

func place(panels []*Panel, id, y *int) {
	x, height := 0, 0
	for _, p := range panels {
		if x+p.GridPos.W > 24 {
			x, *y, height = 0, *y+height, 0
		}
		*id++
		p.ID, p.GridPos.X, p.GridPos.Y = *id, x, *y
		if p.Type == "row" && *p.Collapsed {
			below := *y + p.GridPos.H // the rows that follow stand there while it is collapsed
			place(*p.Panels, id, &below)
		}
		x += p.GridPos.W
		height = max(height, p.GridPos.H)
	}
}
