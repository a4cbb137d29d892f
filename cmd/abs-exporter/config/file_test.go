package config

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

func TestWrongFiles(t *testing.T) {
	cleanEnv(t)
	messages := map[string][]string{
		"unknown-key.yml": {":3: key collect.intervall: unknown key; did you mean collect.interval?"},
		"several.yml": {
			`:2: key abs.rate: expected a float but got "fast" (string)`,
			`:3: key abs.user: must be one of admin, restricted but got "root"`,
			":4: key abs.nope: unknown key",
			":5: key collect: expected a mapping but got a value",
			":7: key forensics.enabled: bool value must be true, 1, yes, false, 0 or no but got \"perhaps\"",
		},
		"not-yaml.yml": {":2: not YAML: did not find expected key"},
		"secret.yml": {
			":3: key abs.access-key: keys are not written here; name a file with abs.access-key-file",
			":4: key abs.secret-key: keys are not written here; name a file with abs.secret-key-file",
		},
		"twice.yml":           {":3: key log: given twice, first on line 1"},
		"no-value.yml":        {`:2: key state.dir: has no value; write "" for an empty one`},
		"list-for-value.yml":  {":2: key abs.timeout: expected a value but got a list"},
		"nested-list.yml":     {":2: key series.dimensions: expected a list of values but got a list in it"},
		"two-documents.yml":   {":2: a second document begins here; only one is read"},
		"targets-empty.yml":   {":1: key targets: the list is empty"},
		"targets-mapping.yml": {":2: key targets: expected a list but got a mapping"},
		"targets-wrong.yml": {
			":2: key targets[0].url: is missing",
			":6: key targets[1].url: is no URL of the form https://host:port or http://host:port",
			`:13: key targets[2].timezone: unknown time zone "Mars/Olympus"`,
			`:9: key targets[2].name: "b" is the name of targets[1] too; two targets need two names`,
		},
		"targets-unknown.yml": {
			":2: key targets[0].abs.url: unknown key",
			":4: key targets[0].tls.ca: unknown key; did you mean tls.ca-file?",
		},
		"targets-shared.yml":  {":4: key abs.timeout: must be above 0s but is 0s"},
		"targets-and-url.yml": {":2: key abs.url: is given beside the list targets; only one of them may be"},
		"rules.yml": {
			":6: key collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 7m0s",
			":8: key series.max-values: must be 1 or more but is 0",
		},
		"labels.yml": {
			`:4: key abs.labels: the label "target" is one of the exporter's own`,
			`:10: key targets[1].labels: the label "empty" has no value`,
			`:10: key targets[1].labels: the label "instance" is reserved for Prometheus`,
			`:10: key targets[1].labels: "my-env" is no name of a label: it begins with a letter, goes on with letters, digits and _, and has 64 characters at most`,
		},
		"labels-twice.yml":         {":4: key abs.labels.env: given twice"},
		"labels-without-value.yml": {":3: key abs.labels.env: has no value"},
		"labels-nested.yml":        {":3: key targets[0].labels.env: expected a value but got a mapping"},
		"labels-list.yml":          {`:2: key abs.labels: expected "<key>=<value>" but got "env"`},
		"targets-sections.yml": {
			":5: key collect.interval: must not be longer than a slot (2m0s) but is 5m0s, in targets[0] on line 7",
			":9: key targets[0].collect.reread: must not be shorter than the interval (5m0s) but is 1m0s",
			":13: key targets[1].collect.window: must not be shorter than a slot (30m0s) but is 1m30s",
			":15: key targets[1].series.max-tokens: must not be negative but is -1",
			`:16: key targets[1].series.dimensions: unknown dimension "country"; there are method, api, device, ip, url`,
			`:19: key targets[1].forensics.severity: attack type "no such type" is not in the catalogue: give a name or an id that docs/attack-types.md lists`,
			":18: key targets[1].forensics.rate: must be above 0; to request no forensics, use --no-forensics.enabled",
		},
		"targets-sections-shared.yml": {":5: key series.max-values: must be 1 or more but is 0"},
		"targets-token-key.yml": {
			":5: key targets[0].series.token-key-file: is for all targets: set series.token-key-file outside of the list",
			":6: key targets[0].state: unknown key",
		},
		"targets-keys.yml": {
			`:4: key targets[0].collect.interval: expected duration but got "fast": time: invalid duration "fast"`,
			":5: key targets[0].collect.intervall: unknown key; did you mean collect.interval?",
			":6: key targets[0].series: expected a mapping but got a value",
		},
		"relative.yml": {
			":6: key web.telemetry-path: /-/reload serves another page",
			":8: key web.config.file: stat DIR/web.yml: no such file or directory",
			":4: key abs.secret-key-file: the secret key cannot be read: open DIR/keys/secret: no such file or directory",
		},
		"proxy.yml": {
			":6: key targets[0].proxy-url: holds a password, which belongs into a file of its own",
			":8: key targets[1].proxy-url: is no URL of the form http://host:port; https, socks5 and socks5h are possible too",
			":11: key targets[2].proxy-password-file: is there without a user, who is named in the proxy's URL: http://user@host:port",
			":14: key targets[3].proxy-password-file: the password of the proxy cannot be read: open DIR/nowhere: no such file or directory",
			":16: key targets[4].proxy-url: has a path, a query or a fragment; only host and port are wanted",
			":4: key abs.no-proxy: is there without the URL of a proxy; for a proxy from HTTPS_PROXY there is the variable NO_PROXY",
		},
		"gateway.yml": {
			":6: key targets[0].header-file: the header X-Abs-Ak is set by the exporter itself",
			":8: key targets[1].header-file: the header Host is set by the exporter itself",
			":10: key targets[2].header-file: the header Authorization has settings of its own: basic auth, or a bearer token",
			":12: key targets[3].header-file: the header X-Team is named twice",
			`:14: key targets[4].header-file: "a b" is no name of a header`,
			":16: key targets[5].header-file: the header X-Team cannot be read: open DIR/nowhere: no such file or directory",
			":18: key targets[6].bearer-token-file: cannot be used together with basic auth: both are the header Authorization",
			":19: key targets[7].basic-auth.password-file: is missing: basic auth takes a user and a file with the password",
			":22: key targets[8].basic-auth.user: is missing: basic auth takes a user and a file with the password",
			":25: key targets[9].bearer-token-file: the bearer token cannot be read: open DIR/nowhere: no such file or directory",
			":27: key targets[10].basic-auth.user: contains a colon or a control character, which basic auth does not allow",
		},
		"tls.yml": {
			":5: key targets[0].tls.min-version: must be TLS10, TLS11, TLS12 or TLS13",
			":7: key targets[1].tls.fingerprint: is not a SHA-256: 64 hexadecimal digits, with or without colons",
			":9: key targets[2].tls.fingerprint-file: open DIR/nowhere: no such file or directory",
			":11: key targets[3].tls.fingerprint-file: DIR/access:1 is not a SHA-256: 64 hexadecimal digits, with or without colons",
			":13: key targets[4].tls.fingerprint-file: cannot be used together with abs.tls.insecure-skip-verify",
		},
		"web.yml": {
			`:3: key web.listen-address: "localhost" is no address of the form host:port or :port`,
			`:3: key web.listen-address: ":http2" is no address of the form host:port or :port`,
			":7: key web.max-requests: must not be negative but is -1",
			":6: key web.telemetry-path: /api/v1/status serves another page",
			":5: key web.enable-pprof: needs --web.probe-address: profiles are served on that listener only",
			":4: key web.systemd-socket: cannot be used together with --web.listen-address: systemd has the addresses",
			":8: key web.config.file: stat DIR/nowhere.yml: no such file or directory",
		},
		"web-types.yml": {
			`:3: key web.enable-pprof: bool value must be true, 1, yes, false, 0 or no but got "on-the-probe-listener"`,
			":4: key web.systemd-socket: expected a value but got a list",
			":5: key web.probe: unknown key; did you mean web.probe-address?",
			":6: key web.config-file: unknown key; did you mean web.config.file?",
		},
		"durations.yml": {
			`:1: key abs.timeout: expected duration but got "1.5d": whole weeks and days come first, as in 1w2d12h; 106751d at most`,
			`:3: key collect.window: expected duration but got "2d1w": whole weeks and days come first, as in 1w2d12h; 106751d at most`,
			`:4: key collect.settle: expected duration but got "1d-2h": whole weeks and days come first, as in 1w2d12h; 106751d at most`,
			`:5: key collect.max-backfill: expected duration but got "7": time: missing unit in duration "7"`,
			`:6: key collect.reread: expected duration but got "200000d": whole weeks and days come first, as in 1w2d12h; 106751d at most`,
			`:7: key audit.interval: expected duration but got "-1d": whole weeks and days come first, as in 1w2d12h; 106751d at most`,
		},
		"series.yml": {
			":3: key series.max-tokens: must be 10000000 or less but is 10000001",
			":4: key series.max-values: must be 1000000 or less but is 1000001",
			`:5: key series.max-values-of: unknown label "apis"; there are method, api, device, ip, url`,
			":5: key series.max-values-of: device must be 1 to 1000000 but is 2000000",
			":5: key series.max-values-of: ip must be 1 to 1000000 but is 0",
			":15: key series.expire: must be above 0s but is 0s",
			`:14: key series.dimensions: unknown dimension "country"; there are method, api, device, ip, url`,
			`:14: key series.dimensions: "api" is named twice`,
			":6: key series.allow-apis: \"shop|(cards\" is no regular expression: missing closing ): `shop|(cards`",
			":7: key series.deny-apis: \"*\" is no regular expression: missing argument to repetition operator: `*`",
			":8: key series.allow-devices: \"[z-a]\" is no regular expression: invalid character class range: `z-a`",
			":9: key series.deny-devices: \"a{1001}\" is no regular expression: invalid repeat count: `{1001}`",
			`:10: key series.exclude-families: "abs_nothing_.*" matches no family; docs/metrics.md has their names`,
			`:10: key series.exclude-families: "abs_exporter_.*" matches abs_exporter_otlp_last_success_timestamp_seconds, which is about the exporter itself and is always there; drop it in Prometheus by metric_relabel_configs`,
			":10: key series.exclude-families: \"abs_up)|(\" is no regular expression: unexpected ): `abs_up)|(`",
		},
		"series-types.yml": {
			`:3: key series.max-values-of: expected "<key>=<value>" but got "200"`,
			":4: key series.max-values-for: unknown key; did you mean series.max-values-of?",
			":5: key series.allow-apis: expected a value but got a list",
			":6: key series.exclude-families: expected a value but got a mapping",
			":7: key series.max-token: unknown key; did you mean series.max-tokens?",
		},
		"series-of-target.yml": {
			`:8: key targets[0].series.max-values-of.api: expected a whole number but got "many"`,
			":9: key targets[0].series.allow-api: unknown key; did you mean series.allow-apis?",
		},
		"series-of-target-rules.yml": {
			`:6: key targets[0].series.max-values-of: unknown label "path"; there are method, api, device, ip, url`,
			":7: key targets[0].series.allow-apis: \"(\" is no regular expression: missing closing ): `(`",
			":11: key targets[1].series.deny-devices: \"x**\" is no regular expression: invalid nested repetition operator: `**`",
			`:10: key targets[1].series.exclude-families: "abs_token_requests" matches no family; docs/metrics.md has their names`,
		},
		"alias-loop.yml": {":2: key abs.tls.tls: unknown key"},
	}
	files, err := os.ReadDir("testdata/wrong")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(messages) {
		t.Errorf("%d files and %d messages", len(files), len(messages))
	}
	for _, f := range files {
		t.Run(f.Name(), func(t *testing.T) {
			dir := keyFiles(t)
			text, err := os.ReadFile(filepath.Join("testdata/wrong", f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, f.Name()), strings.ReplaceAll(string(text), "DIR", dir))
			var want []string
			for _, m := range messages[f.Name()] {
				want = append(want, "DIR/"+f.Name()+m)
			}
			got := refused(t, dir, "--config=DIR/"+f.Name())
			if want := strings.Join(want, "\n"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if strings.Contains(got, "hunter2") {
				t.Error("a message repeats a key")
			}
		})
	}
}

// An entry of the list targets has settings of its own, which replace the shared ones, and leave
// those of the others alone.
func TestSettingsOfATarget(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	write(t, filepath.Join(dir, "abs-exporter.yml"), `
abs:
  access-key-file: access
  secret-key-file: secret
  labels: {env: prod, team: "a, b; c=d"}
collect: {interval: 1m}
series: {dimensions: [method, api]}
forensics: {severity: ["Data Exfiltration Attack=info", "Stolen Token Attack Type 1=info"]}
targets:
  - url: https://a.example.com
  - url: https://b.example.com
    labels: {env: test}
    collect: {interval: 30s, settle: 4h}
    series: {max-tokens: 7, dimensions: [ip]}
    forensics: {enabled: false, severity: {"Data Exfiltration Attack": critical}}
  - url: https://c.example.com
    labels: {}
    series: {dimensions: []}
`)
	s := parsed[Serve](t, "--config="+filepath.Join(dir, "abs-exporter.yml"), "--collect.window=4h").Settings
	a, b, c := s.Targets[0], s.Targets[1], s.Targets[2]
	for _, test := range []struct{ got, want any }{
		{a.Labels, map[string]string{"env": "prod", "team": "a, b; c=d"}},
		{b.Labels, map[string]string{"env": "test"}},
		{len(c.Labels), 0},
		{a.Collect.Interval, time.Minute},
		{b.Collect.Interval, 30 * time.Second},
		{b.Collect.Settle, 4 * time.Hour},
		{b.Collect.Window, 4 * time.Hour}, // shared, from the flag
		{c.Collect.Settle, 2 * time.Hour},
		{a.TokenDimensions, []counts.Dimension{counts.Method, counts.API}},
		{b.TokenDimensions, []counts.Dimension{counts.IP}},
		{len(c.TokenDimensions), 0},
		{[]int{a.Series.MaxTokens, b.Series.MaxTokens}, []int{1000, 7}},
		{[]bool{a.Forensics.Enabled, b.Forensics.Enabled}, []bool{true, false}},
		{len(a.Forensics.Severity), 2},
		{b.Forensics.Severity, map[string]string{"Data Exfiltration Attack": "critical"}},
		{s.Series.Dimensions, []string{"method", "api"}},
		{a.AccessKeyFile, filepath.Join(dir, "access")},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("got %v, want %v", test.got, test.want)
		}
	}
	if a.SameSettings(&b) || !a.SameSettings(&a) {
		t.Error("the comparison of two targets is wrong")
	}
}

// sampleName is the file that docs/configuration.md shows.
const sampleName = "testdata/abs-exporter.yml"

func TestSampleFile(t *testing.T) {
	cleanEnv(t)
	text, err := os.ReadFile(sampleName)
	if err != nil {
		t.Fatal(err)
	}
	// The sample names files that exist only where it is used; here they are written to a temporary
	// directory.
	_, certificate, _, err := simulator.SelfSigned("localhost")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"production-access-key", "production-secret-key", "test-access-key", "test-secret-key"} {
		write(t, filepath.Join(dir, name), name+"\n")
	}
	write(t, filepath.Join(dir, "ca.pem"), string(certificate))
	write(t, filepath.Join(dir, "web.yml"), "")
	write(t, filepath.Join(dir, "abs-exporter.yml"), string(text))
	s := parsed[Serve](t, "--config="+filepath.Join(dir, "abs-exporter.yml")).Settings
	if len(s.Targets) != 2 {
		t.Fatalf("%d targets", len(s.Targets))
	}
	a, b := s.Targets[0], s.Targets[1]
	if a.Name != "production" || a.Location.String() != "Europe/Berlin" || a.TLS.CAFile == "" || a.TLS.Fingerprint != nil || a.User != "admin" || a.Rate != 10 {
		t.Errorf("first target: %+v", a.ABS)
	}
	if b.Name != "test" || b.Location.String() != "UTC" || b.TLS.CAFile != "" || len(b.TLS.Fingerprint) != 1 || !b.Restricted() || b.Rate != 10 ||
		a.Labels["env"] != "prod" || b.Labels["env"] != "test" || a.Collect.Interval != time.Minute || b.Collect.Interval != 5*time.Minute || b.Series.MaxTokens != 500 {
		t.Errorf("second target: %+v", b.ABS)
	}
	if s.ABS.Name != "" || !abs.TLSConfig(s.ABS.TLS).IsZero() || s.ABS.Labels != nil || s.Series.MaxTokens != 5000 || len(s.Web.ListenAddress) != 2 || s.Log.Format != "json" {
		t.Errorf("a target's settings apply to all: %+v", s)
	}
}

// Whatever a file holds, it is either parsed or refused with messages that name its lines.
func FuzzFile(f *testing.F) {
	for _, pattern := range []string{"testdata/wrong/*.yml", "testdata/*.yml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Add([]byte("targets: [&a {tls: *a}, *a]"))
	f.Add([]byte("? [a]\n: b"))
	f.Add([]byte("<<: {log: {level: info}}"))
	flags := commandFlags(f, "demo")
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := configfile.Parse("f.yml", data, flags)
		if err != nil {
			errs := []error{err}
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				errs = joined.Unwrap()
			}
			for _, err := range errs {
				if !strings.HasPrefix(err.Error(), "f.yml:") {
					t.Errorf("a message without a line: %s", err)
				}
			}
			return
		}
		for name := range parsed.Values {
			if flagsByName(flags)[name] == nil {
				t.Errorf("it has a value for %q, which is no flag", name)
			}
		}
	})
}

// commandFlags returns the flags of a command.
func commandFlags(t testing.TB, command string) []*kong.Flag {
	t.Helper()
	parser, err := newParser(io.Discard, func(int) {}, &asked{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range parser.Model.Children {
		if c.Name == command {
			return c.Flags
		}
	}
	t.Fatalf("there is no command %s", command)
	return nil
}
