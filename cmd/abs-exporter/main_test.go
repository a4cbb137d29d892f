package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestHelpAndVersion(t *testing.T) {
	cleanEnv(t)
	for _, args := range [][]string{{"--help"}, {"serve", "--help"}, {"demo", "--help"}, {"simulate", "--help"}, {"version"}} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), args, &stdout, &stderr); status != exitOK || stderr.Len() > 0 || stdout.Len() == 0 {
			t.Errorf("%q: exit status %d, %s%s", args, status, &stdout, &stderr)
		}
	}
}

// Each problem has a line of its own, and nothing else happens.
func TestUsageErrors(t *testing.T) {
	cleanEnv(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"server"}, "abs-exporter: error: unexpected argument server; did you mean serve?\n"},
		{
			[]string{"--abs.url=ftp://x", "--abs.access-key-file=DIR/access", "--abs.secret-key-file=DIR/secret", "--series.max-values=0"},
			"abs-exporter: error: --series.max-values: must be 1 or more but is 0\n" +
				"abs-exporter: error: --abs.url: is no URL of the form https://host:port or http://host:port\n",
		},
		{[]string{"simulate", "--simulate.listen-address=8080"}, "abs-exporter: error: --simulate.listen-address: \"8080\" is no address of the form host:port or :port\n"},
	} {
		dir := keyFiles(t)
		var args []string
		for _, arg := range test.args {
			args = append(args, strings.ReplaceAll(arg, "DIR", dir))
		}
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), args, &stdout, &stderr); status != exitUsage || stdout.Len() > 0 || stderr.String() != test.want {
			t.Errorf("%q: exit status %d, %s%swant %s", args, status, &stdout, &stderr, test.want)
		}
	}
}
