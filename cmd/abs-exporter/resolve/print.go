package resolve

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
)

// classify sets severity, category and id of each attack or anomaly type.
func classify(all []finding, types *catalogue.Catalogue) {
	for i := range all {
		entry, known := types.Lookup(all[i].Type)
		all[i].Severity, all[i].Category = entry.Severity, entry.Category
		if known {
			all[i].ID = entry.ID
		}
	}
}

// masked returns enough of a token to distinguish two, and too little to use one.
func masked(token []byte) string {
	return printable(ends(token)) + " (" + strconv.Itoa(len(token)) + " characters)"
}

// ends returns the ends of a token, or nothing of a short one.
func ends(token []byte) string {
	const shown, least = 4, 24
	if len(token) < least {
		return "…"
	}
	return string(token[:shown]) + "…" + string(token[len(token)-shown:])
}

// hideToken masks the token wherever a name has it. A query may have other secrets: it is left out.
func (r *resolution) hideToken() {
	token, mask := string(r.token), ends(r.token)
	hide := strings.NewReplacer(token, mask, url.PathEscape(token), mask, url.QueryEscape(token), mask).Replace
	for i := range r.URLs {
		r.URLs[i].Name, _, _ = strings.Cut(r.URLs[i].Name, "?")
	}
	for _, counts := range r.lists() {
		for i := range *counts {
			name := &(*counts)[i].Name
			for _, plain := range unescaped(*name, 2) {
				if strings.Contains(plain, token) {
					*name = plain
				}
			}
			*name = hide(*name)
		}
		*counts = mergeCounts(*counts)
	}
	r.sort()
}

var escapes = regexp.MustCompile("%[0-9a-fA-F]{2}")

// unescaped returns what a name may stand for: as a path and as a query, escaped as often as times
// at most. What is no escape stays as it is, where the functions of net/url refuse the whole name.
func unescaped(name string, times int) (plain []string) {
	for _, text := range []string{name, strings.ReplaceAll(name, "+", " ")} {
		plain = append(plain, text)
		inner := escapes.ReplaceAllStringFunc(text, func(escape string) string {
			b, _ := hex.DecodeString(escape[1:]) // two digits
			return string(b)
		})
		if times > 0 && inner != text {
			plain = append(plain, unescaped(inner, times-1)...)
		}
	}
	return plain
}

// mergeCounts adds up the counts of one name.
func mergeCounts(counts []count) []count {
	var rows []abs.Count
	for _, c := range counts {
		rows = append(rows, abs.Count{Key: []byte(c.Name), N: c.Requests})
	}
	return addCounts(nil, rows)
}

// printable quotes what ABS sends if it could control a terminal.
func printable(s string) string {
	ok := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0 {
		return s
	}
	return strconv.QuoteToGraphic(s)
}

// show masks the token, unless it is asked for.
func (r *resolution) show(whole bool) {
	r.Token, r.TokenLength = string(r.token), len(r.token)
	if !whole {
		r.Token = masked(r.token)
		r.hideToken()
	}
}

// printFound prints what the targets have, as texts with an empty line in between or as JSON.
func printFound[R any](w io.Writer, found []R, asJSON bool, text func(R) string) error {
	var out []byte
	if asJSON {
		var err error
		if out, err = json.MarshalIndent(found, "", "  "); err != nil {
			return err
		}
		out = append(out, '\n')
	} else {
		for i, one := range found {
			if i > 0 {
				out = append(out, '\n')
			}
			out = append(out, text(one)...)
		}
	}
	_, err := w.Write(out)
	return err
}

func (r *resolution) text() string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("target     %s", printable(r.Target))
	p("token id   %s", r.TokenID)
	p("token      %s", printable(r.Token))
	p("window     %s to %s", r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	p("requests   %d", r.Requests)
	if r.Forensics {
		printFindings(p, "attacks", r.Attacks)
		printFindings(p, "anomalies", r.Anomalies)
	} else {
		p("attacks    unknown: ABS refuses forensics to the restricted user")
	}
	printCounts(p, "by API", r.APIs, r.Requests, 10)
	printCounts(p, "by method", r.Methods, r.Requests, 10)
	printCounts(p, "by device", r.Devices, r.Requests, 10)
	printCounts(p, "by IP address", r.IPs, r.Requests, 10)
	printCounts(p, "by URL", r.URLs, r.Requests, 20)
	return b.String()
}

func printFindings(p func(string, ...any), title string, found []finding) {
	if len(found) == 0 {
		p("%-10s none", title)
		return
	}
	p("%-10s %d", title, len(found))
	for _, f := range found {
		apis := make([]string, len(f.APIs))
		for i, api := range f.APIs {
			apis[i] = printable(api)
		}
		times := ""
		if f.First != nil {
			times = fmt.Sprintf(", from %s to %s", f.First.Format(time.RFC3339), f.Last.Format(time.RFC3339))
		}
		p("  %-8s  %s on %s%s", f.Severity, printable(f.Type), strings.Join(apis, ", "), times)
	}
}

// printCounts prints the first lines of a list, as a screen is finite.
func printCounts(p func(string, ...any), title string, counts []count, total int64, shown int) {
	if len(counts) == 0 {
		return
	}
	p("%s", title)
	var other int64
	for i, c := range counts {
		if i >= shown {
			other += c.Requests
			continue
		}
		share := ""
		if total > 0 {
			share = fmt.Sprintf("  %3.0f %%", 100*float64(c.Requests)/float64(total))
		}
		p("  %10d%s  %s", c.Requests, share, printable(c.Name))
	}
	if more := len(counts) - shown; more > 0 {
		p("  %10d  in %d more", other, more)
	}
}
