package build

import (
	"bytes"
	"encoding/json"
)

// Dashboard is a dashboard in Grafana's JSON model, as far as it is used here. It uses only what
// Grafana 10 knows; Grafana 13 reads it as well.
type Dashboard struct {
	UID                  string    `json:"uid"`
	Title                string    `json:"title"`
	Description          string    `json:"description"`
	Tags                 []string  `json:"tags"`
	SchemaVersion        int       `json:"schemaVersion"`
	Version              int       `json:"version"`
	ID                   *int      `json:"id"` // null: Grafana assigns one
	Editable             bool      `json:"editable"`
	GraphTooltip         int       `json:"graphTooltip"` // 1: the cross-hair is shared
	Refresh              string    `json:"refresh"`
	Time                 timeRange `json:"time"`
	Timezone             string    `json:"timezone"`
	FiscalYearStartMonth int       `json:"fiscalYearStartMonth"`
	LiveNow              bool      `json:"liveNow"`
	Links                []Link    `json:"links"`
	Annotations          struct {
		List []object `json:"list"`
	} `json:"annotations"`
	Templating Templating `json:"templating"`
	Panels     []*Panel   `json:"panels"`
	Timepicker struct{}   `json:"timepicker"`
	WeekStart  string     `json:"weekStart"`
}

type (
	object    map[string]any
	timeRange struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
)

// Templating is the variables of a dashboard.
type Templating struct {
	List []Variable `json:"list"`
}

// Variable is a variable of a dashboard. Query is a text, or an object for Prometheus.
type Variable struct {
	Name        string   `json:"name"`
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Type        string   `json:"type"`
	Query       any      `json:"query"`
	Datasource  *source  `json:"datasource,omitempty"`
	Regex       string   `json:"regex"`
	Current     object   `json:"current,omitempty"`
	Options     []object `json:"options"`
	Refresh     int      `json:"refresh,omitempty"` // 2: when the time range changes
	Sort        int      `json:"sort"`
	Multi       bool     `json:"multi"`
	IncludeAll  bool     `json:"includeAll"`
	AllValue    string   `json:"allValue,omitempty"`
	Hide        int      `json:"hide"`
	SkipURLSync bool     `json:"skipUrlSync"`
}

type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// Link leads from a dashboard, a panel or a cell to another page.
type Link struct {
	Title       string   `json:"title"`
	Type        string   `json:"type,omitempty"`
	URL         string   `json:"url"`
	Tags        []string `json:"tags,omitempty"`
	Icon        string   `json:"icon,omitempty"`
	Tooltip     string   `json:"tooltip"`
	AsDropdown  bool     `json:"asDropdown"`
	IncludeVars bool     `json:"includeVars"`
	KeepTime    bool     `json:"keepTime"`
	TargetBlank bool     `json:"targetBlank"`
}

// Panel is a panel, or the title of a row of them.
type Panel struct {
	ID              int       `json:"id"`
	Type            string    `json:"type"`
	Title           string    `json:"title"`
	Description     string    `json:"description,omitempty"`
	GridPos         GridPos   `json:"gridPos"`
	Datasource      *source   `json:"datasource,omitempty"`
	Targets         []Target  `json:"targets,omitempty"`
	FieldConfig     *fieldSet `json:"fieldConfig,omitempty"`
	Options         object    `json:"options,omitempty"`
	Transformations []object  `json:"transformations,omitempty"`
	MaxDataPoints   int       `json:"maxDataPoints,omitempty"`
	Interval        string    `json:"interval,omitempty"`
	Collapsed       *bool     `json:"collapsed,omitempty"`
	Links           []Link    `json:"links,omitempty"`
	Panels          *[]*Panel `json:"panels,omitempty"` // of a row that is collapsed
}

// GridPos is the position and size of a panel on a grid 24 columns wide.
type GridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

// Target is a query of a panel.
type Target struct {
	RefID        string  `json:"refId"`
	Expr         string  `json:"expr"`
	LegendFormat string  `json:"legendFormat"`
	QueryType    string  `json:"queryType,omitempty"` // of Loki
	Format       string  `json:"format,omitempty"`    // of Prometheus
	Instant      bool    `json:"instant"`
	Range        bool    `json:"range"`
	EditorMode   string  `json:"editorMode"`
	Datasource   *source `json:"datasource"`
}

type fieldSet struct {
	Defaults  object     `json:"defaults"`
	Overrides []override `json:"overrides"`
}

type override struct {
	Matcher    object   `json:"matcher"`
	Properties []object `json:"properties"`
}

// JSON returns the dashboard as a file.
func (d *Dashboard) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // queries contain > and &
	e.SetIndent("", "  ")
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
