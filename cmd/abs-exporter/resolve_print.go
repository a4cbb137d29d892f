package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/abs-exporter/abs-exporter/collector/findings/catalogue"
)

// judge says how bad each attack and anomaly type is.
func (r *resolution) judge(types *catalogue.Catalogue) {
	for _, all := range [][]resolvedFinding{r.Attacks, r.Anomalies} {
		for i := range all {
			entry, known := types.Lookup(all[i].Type)
			all[i].Severity, all[i].Category = entry.Severity, entry.Category
			if known {
				all[i].ID = entry.ID
			}
		}
	}
}

// masked shows so much of a token that two can be told apart, and none can be used.
func masked(token []byte) string {
	const shown, least = 4, 24
	text := "…"
	if len(token) >= least {
		text = string(token[:shown]) + "…" + string(token[len(token)-shown:])
	}
	return printable(text) + " (" + strconv.Itoa(len(token)) + " characters)"
}

// printable keeps what ABS sends from steering a terminal.
func printable(s string) string {
	ok := func(r rune) bool { return r != utf8.RuneError && unicode.IsPrint(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !ok(r) }) < 0 {
		return s
	}
	return strconv.QuoteToGraphic(s)
}

func printResolutions(w io.Writer, found []*resolution, whole, asJSON bool) error {
	var out []byte
	for i, r := range found {
		r.Token, r.TokenLength = masked(r.token), len(r.token)
		if whole {
			r.Token = string(r.token)
		}
		if !asJSON {
			if i > 0 {
				out = append(out, '\n')
			}
			out = append(out, r.text()...)
		}
	}
	if asJSON {
		var err error
		if out, err = json.MarshalIndent(found, "", "  "); err != nil {
			return err
		}
		out = append(out, '\n')
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
		p("attacks    not told: ABS gives no forensics to the restricted user")
	}
	printCounts(p, "by API", r.APIs, r.Requests)
	printCounts(p, "by method", r.Methods, r.Requests)
	printCounts(p, "by device", r.Devices, r.Requests)
	printCounts(p, "by IP address", r.IPs, r.Requests)
	return b.String()
}

func printFindings(p func(string, ...any), title string, found []resolvedFinding) {
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
		p("  %-8s  %s on %s", f.Severity, printable(f.Type), strings.Join(apis, ", "))
	}
}

// printCounts prints the first of a list, as a screen has an end.
func printCounts(p func(string, ...any), title string, counts []resolvedCount, total int64) {
	const most = 10
	if len(counts) == 0 {
		return
	}
	p("%s", title)
	var rest int64
	for i, c := range counts {
		if i >= most {
			rest += c.Requests
			continue
		}
		share := ""
		if total > 0 {
			share = fmt.Sprintf("  %3.0f %%", 100*float64(c.Requests)/float64(total))
		}
		p("  %10d%s  %s", c.Requests, share, printable(c.Name))
	}
	if more := len(counts) - most; more > 0 {
		p("  %10d  in %d more", rest, more)
	}
}
