package pages

import (
	"bytes"
	_ "embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"

	"github.com/abs-exporter/abs-exporter/docs/runbooks"
)

//go:embed runbook.html.tmpl
var runbookHTML string

// runbook answers /runbooks/ with the index of the runbooks, and /runbooks/NAME.md with one. The
// name of a file is its address, so that the links between the files work.
func (p *Pages) runbook(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == "" {
		name = runbooks.Index
	}
	text, err := fs.ReadFile(runbooks.FS, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	// Rendered for each request: it takes a millisecond, and people look seldom.
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	var body bytes.Buffer
	if err := markdown.Convert(text, &body); err != nil {
		http.Error(w, "the runbook cannot be rendered: "+err.Error(), http.StatusInternalServerError)
		return
	}
	writePage(w, template.Must(template.New("runbook").Parse(runbookHTML)), struct {
		CSS   template.CSS
		Title string
		Body  template.HTML
	}{
		template.CSS(statusCSS), //nolint:gosec // the project's own file
		strings.TrimSuffix(name, ".md"),
		template.HTML(body.String()), //nolint:gosec // the project's own text, without raw HTML
	})
}
