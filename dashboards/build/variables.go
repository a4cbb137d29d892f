package build

// The dashboards' uids. Links and alerts refer to them, so they never change.
const (
	OverviewUID = "abs-exporter-overview"
	TokenUID    = "abs-exporter-token" //nolint:gosec // G101: a dashboard's name
	HealthUID   = "abs-exporter-health"
)

// All returns the dashboards, in the order in which one would open them.
func All() []*Dashboard { return []*Dashboard{overview(), token(), health()} }

func dashboard(uid, title, description, from string, variables []Variable, panels ...*Panel) *Dashboard {
	return &Dashboard{
		UID: uid, Title: title, Description: description, Tags: []string{tag, "security"},
		SchemaVersion: 38, Version: 1, Editable: true, GraphTooltip: 1, Refresh: "1m",
		Time: timeRange{from, "now"}, Timezone: "browser",
		Links: []Link{{
			Title: "ABS dashboards", Type: "dashboards", Tags: []string{tag}, Icon: "external link", IncludeVars: true, KeepTime: true,
		}},
		Annotations: object{"list": []object{{
			"builtIn": 1, "datasource": source{"grafana", "-- Grafana --"}, "enable": true, "hide": true,
			"iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
		}}},
		Templating: Templating{variables},
		Panels:     layout(panels...),
	}
}

func datasourceVariable() Variable {
	return Variable{
		Name: "datasource", Label: "Data source", Description: "The Prometheus that scrapes abs-exporter.",
		Type: "datasource", Query: "prometheus", Options: []object{}, Refresh: 1,
	}
}

func targetVariable() Variable {
	return choice("target", "Target", "The ABS deployment.", `label_values(abs_requests_total, target)`)
}

func apiVariable() Variable {
	return choice("api", "API", `An API's name as ABS reports it; of attacks "all" is one across APIs.`,
		`label_values({__name__=~"abs_api_requests_total|abs_attack_tokens|abs_anomaly_tokens", target=~"$target"}, api)`)
}

func attackTypeVariable() Variable {
	return choice("attack_type", "Attack type", "Of attacks, and of anomalies of the same name.",
		`label_values(abs_attack_type_info{target=~"$target"}, attack_type)`)
}

// choice is a variable of which any number of values may be chosen, or all.
func choice(name, label, description, query string) Variable {
	v := queried(name, label, description, query)
	v.Multi, v.IncludeAll, v.AllValue, v.Sort = true, true, ".*", 5 // by letters, whatever their case
	v.Current = object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}}
	return v
}

func queried(name, label, description, query string) Variable {
	return Variable{
		Name: name, Label: label, Description: description, Type: "query",
		Query:      object{"query": query, "refId": "StandardVariableQuery"},
		Datasource: prometheus(), Options: []object{}, Refresh: 2,
	}
}

// tokenVariable offers the tokens of the window: those with attacks first, then those with
// anomalies, then the busiest. A token that is not among them, such as one of an old alert, can be
// set by the URL.
func tokenVariable() Variable {
	const by = "max by (token) "
	// All on one line: Grafana reads no query_result on several.
	window := by + "(" + where("abs_token_window_requests", target) + ")"
	weighed := func(weight, metric string) string {
		return " + on (token) (" + weight + " * " + by + "(" + where(metric, target) + ") or on (token) 0 * " + window + ")"
	}
	v := queried("token", "Token id", "Flagged tokens come first, then the busiest.",
		"query_result(sort_desc("+window+weighed("1e12", "abs_token_attack_types")+weighed("1e6", "abs_token_anomaly_types")+"))")
	v.Regex = `/token="([^"]+)"/`
	return v
}

// rangeVariable is the span of increases: half an hour and up.
func rangeVariable() Variable {
	v := Variable{
		Name: "range", Label: "Increase over", Description: "Counters step with ABS's ten-minute batches, so half an hour is the least that makes sense.",
		Type: "custom", Query: "30m,1h,3h,6h,12h,1d,7d", Current: object{"selected": true, "text": "1h", "value": "1h"},
	}
	for _, o := range []string{"30m", "1h", "3h", "6h", "12h", "1d", "7d"} {
		v.Options = append(v.Options, object{"selected": o == "1h", "text": o, "value": o})
	}
	return v
}
