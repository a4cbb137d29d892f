package alerts

import (
	"context"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"text/template/parse"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/template"

	"github.com/abs-exporter/abs-exporter/test/queries"
)

// Where templates cannot query, as in Grafana's own alerts, query returns nothing. So nothing
// follows from an empty result: no query has an else, but is a sentence or a remark of its own. The
// golden file is what people then read.
func TestAnnotationsWithoutQueries(t *testing.T) {
	var all strings.Builder
	for _, r := range alertRules(t) {
		all.WriteString("# " + r.Alert + "\n")
		for _, name := range []string{"summary", "description"} {
			if branches := elseOfQuery(t, r.Annotations[name]); branches > 0 {
				t.Errorf("%s, %s: %d queries have an else, which is not true where templates cannot query", r.Alert, name, branches)
			}
			text := withoutQueries(t, &r, r.Annotations[name])
			if m := halfSentence.FindString(text); m != "" {
				t.Errorf("%s, %s: %q is left in %q", r.Alert, name, m, text)
			}
			all.WriteString(name + ": " + text + "\n")
		}
		all.WriteString("\n")
	}
	const golden = "testdata/annotations.golden"
	if *update {
		write(t, golden, all.String())
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := all.String(); got != string(want) {
		t.Errorf("%s is out of date: run this test with -update, and read it", golden)
	}
}

// halfSentence matches what is left of a sentence whose middle is gone.
var halfSentence = regexp.MustCompile(`  |\(\)|[:,;] ?[.,;)]| [.,;:)]|\.\.|[:,;]$|^$`)

// preamble is what Prometheus puts before each template of a rule.
const preamble = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// withoutQueries returns an annotation as it is where query returns nothing. Each label of the
// alert has its name as its value, in capitals.
func withoutQueries(t *testing.T, r *rule, text string) string {
	t.Helper()
	names, err := queries.Labels(r.Expr)
	if err != nil {
		t.Fatal(err)
	}
	ls := map[string]string{}
	for _, name := range names {
		ls[name] = strings.ToUpper(name)
	}
	nothing := func(context.Context, string, time.Time) (promql.Vector, error) { return nil, nil }
	data := template.AlertTemplateData(ls, nil, "", promql.Sample{F: 3})
	expander := template.NewTemplateExpander(t.Context(), preamble+text, r.Alert, data, model.Time(0), nothing, &url.URL{}, nil)
	out, err := expander.Expand()
	if err != nil {
		t.Fatalf("%s: %v", r.Alert, err)
	}
	return out
}

// elseOfQuery returns how many queries of a template have an else.
func elseOfQuery(t *testing.T, text string) int {
	t.Helper()
	tree := parse.New("annotation")
	tree.Mode = parse.SkipFuncCheck
	set := map[string]*parse.Tree{}
	parsed, err := tree.Parse(preamble+text, "", "", set)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n := 0
	var walk func(list *parse.ListNode)
	branch := func(b *parse.BranchNode) {
		if b.ElseList != nil && queryCall.MatchString(b.Pipe.String()) {
			n++
		}
		walk(b.List)
		walk(b.ElseList)
	}
	walk = func(list *parse.ListNode) {
		if list == nil {
			return
		}
		for _, node := range list.Nodes {
			switch b := node.(type) {
			case *parse.RangeNode:
				branch(&b.BranchNode)
			case *parse.WithNode:
				branch(&b.BranchNode)
			case *parse.IfNode:
				branch(&b.BranchNode)
			}
		}
	}
	walk(parsed.Root)
	return n
}

var queryCall = regexp.MustCompile(`\bquery\b`)
