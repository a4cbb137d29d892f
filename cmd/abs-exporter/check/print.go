package check

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

func printResults(w io.Writer, results []*Result, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		out.SetEscapeHTML(false)
		out.SetIndent("", "  ")
		return out.Encode(results)
	}
	var b strings.Builder
	for n, r := range results {
		if n > 0 {
			b.WriteByte('\n')
		}
		r.print(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// textWidth is where lines of text break.
const textWidth = 110

func (r *Result) print(b *strings.Builder) {
	fmt.Fprintf(b, "%s: %s\n\n", r.Target, r.URL)
	notAsked, why := 0, ""
	for i := range r.Answers {
		a := &r.Answers[i]
		if a.notAsked != "" { // one line for all of them
			notAsked, why = notAsked+1, a.notAsked
			continue
		}
		fmt.Fprintf(b, "%-8s %s\n", a.State, a.Question)
		for _, text := range a.Found {
			indented(b, text)
		}
		for _, s := range a.Set {
			fmt.Fprintf(b, "           set %s=%s\n", s.Flag, s.Value)
		}
	}
	if notAsked > 0 {
		fmt.Fprintf(b, "%-8s %s not asked: %s\n", Unknown, counted(notAsked, "more question was", "more questions were"), why)
	}
	fmt.Fprintf(b, "\n%d ok, %d to fix, %d unknown; %s to ABS\n", r.count(OK), r.count(Fix), r.count(Unknown), counted(r.Calls, "request", "requests"))
}

// indented writes a text in lines.
func indented(b *strings.Builder, text string) {
	const indent = "           "
	width := 0
	for _, word := range strings.Fields(text) {
		switch {
		case width == 0:
			b.WriteString(indent)
		case width+1+len(word) > textWidth-len(indent):
			b.WriteString("\n" + indent + "  ")
			width = 2
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	b.WriteByte('\n')
}
