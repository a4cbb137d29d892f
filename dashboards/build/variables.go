package build

// The dashboards' uids. Links and alerts refer to them, so they never change.
const (
	OverviewUID = "abs-exporter-overview"
	APIUID      = "abs-exporter-api"
	TokenUID    = "abs-exporter-token" //nolint:gosec // G101: a dashboard's name
	EventsUID   = "abs-exporter-events"
	HealthUID   = "abs-exporter-health"
)

// Tags of all dashboards; the links between them go by the first.
const tag = "abs-exporter"

// All returns the dashboards, in the order in which one would open them.
func All() []*Dashboard { return []*Dashboard{overview(), api(), token(), health(), events()} }

func dashboard(uid, title, description string, variables []Variable, annotations []object, panels ...*Panel) *Dashboard {
	d := &Dashboard{
		UID: uid, Title: title, Description: description, Tags: []string{tag, "security"},
		SchemaVersion: 38, Version: 1, Editable: true, GraphTooltip: 1, Refresh: "1m",
		Time: timeRange{"now-12h", "now"}, Timezone: "browser",
		Links: []Link{{
			Title: "ABS dashboards", Type: "dashboards", Tags: []string{tag}, Icon: "external link", IncludeVars: true, KeepTime: true,
		}},
		Templating: Templating{variables},
		Panels:     layout(panels...),
	}
	d.Annotations.List = append([]object{{
		"builtIn": 1, "datasource": source{"grafana", "-- Grafana --"}, "enable": true, "hide": true,
		"iconColor": "rgba(0, 211, 255, 1)", "name": "Annotations & Alerts", "type": "dashboard",
	}}, annotations...)
	return d
}

// annotation marks on every graph when something happened, and can be switched off. Where times is
// true, the query's values are the times; else something lasts while they are above 0.
func annotation(name, expr, text, colour string, times bool) object {
	return object{
		"name": name, "datasource": prometheus(), "enable": true, "hide": false, "iconColor": colour,
		"expr": expr, "step": "60s", "titleFormat": name, "textFormat": text, "tagKeys": "", "useValueForTime": times,
		"target": object{"refId": "Anno", "expr": expr, "interval": "60s", "legendFormat": text, "range": true, "instant": false, "editorMode": "code"},
	}
}

// attacksBegan marks the attacks that matchers select.
func attacksBegan(keys, metric, matchers, text string) object {
	return annotation("Attack began", began(keys, metric, matchers), text, colourCritical, true)
}

// interruptions are why there may be gaps.
func interruptions() []object {
	return []object{
		annotation("Exporter restarted", "1000 * max by (instance) (process_start_time_seconds"+ofExporter+")", "{{instance}}", colourNothing, true),
		annotation("ABS unreachable", "1 - "+gauge("target", "abs_up", target), "{{target}}", colourBlind, false),
	}
}

// datasourceVariable opens on Grafana's default data source, if that is a Prometheus. With no
// present value Grafana would take the first by letters.
func datasourceVariable() Variable {
	return Variable{
		Name: "datasource", Label: "Data source", Description: "The Prometheus that scrapes abs-exporter.",
		Type: "datasource", Query: "prometheus", Options: []object{}, Refresh: 1,
		Current: object{"selected": true, "text": "default", "value": "default"},
	}
}

func targetVariable() Variable {
	return choice("target", "Target", "The ABS deployment.", `label_values(abs_requests_total, target)`)
}

func apiVariable() Variable {
	return choice("api", "API", `An API's name as ABS reports it; of attacks "all" is one across APIs.`,
		`label_values({__name__=~"abs_api_requests_total|abs_attack_tokens|abs_anomaly_tokens|abs_api_prediction_mode"}, api)`)
}

func attackTypeVariable() Variable {
	return choice("attack_type", "Attack type", "Of attacks, and of anomalies of the same name.", `label_values(abs_attack_type_info, attack_type)`)
}

// choice is a variable of which any number of values may be chosen, or all. It is read when the
// dashboard opens, and depends on no other: Grafana replaces a chosen value that a later answer
// lacks, such as the API of an attack that is over.
func choice(name, label, description, query string) Variable {
	return Variable{
		Name: name, Label: label, Description: description, Type: "query",
		Query:      object{"query": query, "refId": "StandardVariableQuery"},
		Datasource: prometheus(), Options: []object{}, Refresh: 1,
		Multi: true, IncludeAll: true, AllValue: ".*", Sort: 5, // by letters, whatever their case
		Current: object{"selected": true, "text": []string{"All"}, "value": []string{"$__all"}},
	}
}

// typed is a variable that only its user, a link or a bookmark sets.
func typed(name, label, description string) Variable {
	v := Variable{Name: name, Label: label, Description: description, Type: "textbox", Query: "", Current: object{"selected": true, "text": "", "value": ""}}
	v.Options = []object{v.Current}
	return v
}

// tokenVariable is typed: of a token that left the window Grafana would silently show another one.
func tokenVariable() Variable {
	return typed("token", "Token id", "16 hex digits, as the label token and the pages have it. The tables of the dashboards lead here.")
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
