// Command man makes the manual page abs-exporter(1) from docs/configuration.md, which is made from
// the flags.
package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: man docs/configuration.md >abs-exporter.1")
		os.Exit(2)
	}
	reference, err := os.ReadFile(os.Args[1])
	if err == nil {
		_, err = os.Stdout.Write(page(string(reference)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
}

const head = `% "ABS-EXPORTER" "1" "" "abs-exporter" "User Commands"

# NAME
abs-exporter - metrics of PingIntelligence ABS for Prometheus and OpenTelemetry

# SYNOPSIS
**abs-exporter** [**serve**] [*flags*]

**abs-exporter** *command* [*flags*]

**abs-exporter** *command* **--help**

# DESCRIPTION
abs-exporter polls the token reports of PingIntelligence ABS, counts each request once, and serves
metrics for Prometheus and OpenTelemetry. The package's service runs **abs-exporter serve**.

`

const foot = `
# FILES
*/etc/abs-exporter/abs-exporter.yml*
: The configuration of the service.

*/etc/abs-exporter/access-key*, */etc/abs-exporter/secret-key*
: ABS's keys, for root only. The service gets copies at its start.

*/var/lib/abs-exporter*
: The state of the service: what was counted, and the key of the token ids. With another key all token ids change.

# SIGNALS
**SIGHUP**
: The configuration is read again.

**SIGTERM**, **SIGINT**
: It ends, within five seconds. A second one ends it at once.

# SEE ALSO
**promtool**(1), **systemctl**(1), <` + docs + `>
`

const docs = "https://github.com/abs-exporter/abs-exporter/blob/main/docs/"

// page returns the manual page as roff. Names of variables are not hyphenated: people copy them.
func page(reference string) []byte {
	roff := md2man.Render([]byte(head + markdown(reference) + foot))
	return bytes.Replace(roff, []byte("\n.TH "), []byte("\n.nr HY 0\n.ds AD l\n.TH "), 1)
}

var (
	comment = regexp.MustCompile(`(?s)<!--.*?-->\n*`)
	link    = regexp.MustCompile(`\[([^\]]+)\]\(([a-z][^):#]*\.md)[^)]*\)`)
	cells   = regexp.MustCompile(` \| `)
	heading = regexp.MustCompile(`^#+ `)
)

// markdown returns the reference as a manual page has it: without its title, with sections one
// level up, with links that lead somewhere, and with lists in place of wide tables.
func markdown(reference string) string {
	reference = link.ReplaceAllString(comment.ReplaceAllString(reference, ""), "$1 (<"+docs+"$2>)")
	var b strings.Builder
	code, list := false, false
	for line := range strings.Lines(reference) {
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case code:
		case strings.HasPrefix(line, "# "):
			continue
		case heading.MatchString(line):
			line = line[1:]
			if strings.HasPrefix(line, "# ") {
				line = strings.ToUpper(line)
			}
		case strings.HasPrefix(line, "| flag and variable |"), strings.HasPrefix(line, "| command |"):
			list = true
			continue
		case !strings.HasPrefix(line, "|"):
			list = false
		case list && strings.HasPrefix(line, "|-"):
			continue
		case list:
			line = definition(line)
		}
		b.WriteString(line)
	}
	return b.String()
}

// definition returns a row of a table as an entry of a list. The reference has two kinds: a command
// and what it does; a flag with its variable and key, its type, its default and its meaning.
func definition(row string) string {
	row = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(row), "| "), " |"), `\|`, "\x00")
	cell := cells.Split(row, -1)
	for i := range cell {
		cell[i] = strings.ReplaceAll(cell[i], "\x00", "|")
	}
	if len(cell) == 2 {
		return bold(cell[0]) + "\n: " + cell[1] + "\n\n"
	}
	names := strings.Split(cell[0], "<br>")
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s; default: %s)\n: %s", bold(names[0]), cell[1], cell[2], cell[3])
	if len(names) > 1 {
		fmt.Fprintf(&b, " Variable: %s.", names[1])
	}
	if len(names) > 2 && strings.HasPrefix(names[2], "`") {
		fmt.Fprintf(&b, " Key: %s.", names[2])
	}
	b.WriteString("\n\n")
	return b.String()
}

func bold(name string) string { return "**" + strings.Trim(name, "`") + "**" }
