package build

import "strings"

// column is a column of a table: a label or a value of a query, and its title; one without a title
// is not shown.
type column struct{ name, title string }

// table is the present state, one line for each series. columns are in order; the lines are sorted
// by the first column in falling order.
func table(title, description string, w, h int, columns []column, queries ...query) *Panel {
	p := panel("table", title, description, w, h, queries...).instant("table")
	p.with("unit", "string").with("noValue", "unknown").with("color", fixed("text"))
	p.custom(object{"align": "auto", "cellOptions": object{"type": "auto"}, "inspect": false, "filterable": true})
	p.Options = object{"showHeader": true, "cellHeight": "sm", "footer": object{"show": false, "reducer": []string{"sum"}, "fields": ""}}
	order, renamed, hidden := object{}, object{}, object{"Time": true}
	for i, c := range columns {
		if c.title == "" {
			hidden[c.name] = true
			continue
		}
		order[c.name], renamed[c.name] = i, c.title
	}
	if len(queries) > 1 {
		p.Transformations = append(p.Transformations, object{"id": "merge", "options": object{}})
	}
	p.Transformations = append(p.Transformations,
		object{"id": "organize", "options": object{"excludeByName": hidden, "indexByName": order, "renameByName": renamed}},
		object{"id": "sortBy", "options": object{"fields": object{}, "sort": []object{{
			"field": columns[0].title, "desc": strings.HasPrefix(columns[0].name, "Value"), // the worst first, names from A
		}}}})
	return p
}

// severityColumn shows ranks as severities on their colours.
func severityColumn() []object {
	return append(judged(), object{"id": "mappings", "value": rankTexts()}, width(80))
}

// judged gives the cells of a column the colour of their value.
func judged() []object {
	return []object{
		{"id": "color", "value": object{"mode": "thresholds"}},
		{"id": "thresholds", "value": steps(colourNothing)},
		{"id": "custom.cellOptions", "value": object{"type": "color-background", "mode": "basic"}},
		{"id": "custom.align", "value": "left"},
	}
}

// yesNo shows 1 and 0 as words on their colours.
func yesNo(zero, zeroColour, one, oneColour string) []object {
	return append(judged(), object{"id": "mappings", "value": []object{values(zero, zeroColour, one, oneColour)}})
}

// limited gives the cells of a column a colour from a number on.
func limited(unit, good string, from float64, bad string) []object {
	out := append(judged(), object{"id": "unit", "value": unit})
	out[1] = object{"id": "thresholds", "value": steps(good, from, bad)}
	return out
}

func width(w int) object { return object{"id": "custom.width", "value": w} }

func number(w int) []object {
	return []object{{"id": "unit", "value": "locale"}, {"id": "decimals", "value": 0}, width(w)}
}

// date shows milliseconds since 1970 as how long ago they were, or as they are; NaN is no time.
func date(unit string, w int) []object {
	return []object{{"id": "unit", "value": unit}, {"id": "mappings", "value": []object{special("nan", 0, "–", "text")}}, width(w)}
}

func ago() []object { return date("dateTimeFromNow", 115) }

// to is the address of a dashboard with the data source, the range and the time of this one, and
// with params.
func to(uid, params string) string {
	return "/d/" + uid + "?" + params + "&${datasource:queryparam}&${range:queryparam}&${__url_time_range}"
}

// linked is the link of a cell or a bar.
func linked(title, url string) object {
	return object{"id": "links", "value": []object{{"title": title, "url": url}}}
}

// toToken leads to the dashboard of a token.
func toToken(token string) object {
	return linked("this token", to(TokenUID, "var-token="+token+"&${target:queryparam}"))
}

// toAPI leads to the dashboard of an API.
func toAPI(api string) object {
	return linked("this API", to(APIUID, "var-api="+api+"&${target:queryparam}"))
}
