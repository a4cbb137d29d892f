package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
)

// Settings that work and are probably a mistake have a warning that names them as they were given.
func TestWarnings(t *testing.T) {
	const service = "ABS_EXPORTER_SERVICE_HOST ABS_EXPORTER_SERVICE_PORT ABS_EXPORTER_SERVICE_PORT_METRICS ABS_EXPORTER_PORT ABS_EXPORTER_PORT_10464_TCP ABS_EXPORTER_PORT_10464_TCP_ADDR"
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want []string
	}{
		"none":                 {nil, nil, nil},
		"an hour":              {[]string{"--collect.settle=1h", "--collect.window=720h"}, nil, nil},
		"settle":               {[]string{"--collect.settle=59m"}, nil, []string{"--collect.settle: is below an hour: 59m0s"}},
		"settle of variable":   {nil, map[string]string{"ABS_EXPORTER_COLLECT_SETTLE": "0s"}, []string{"--collect.settle (from ABS_EXPORTER_COLLECT_SETTLE): is below an hour: 0s"}},
		"window":               {[]string{"--collect.window=721h"}, nil, []string{"--collect.window: is above 30 days: 721h0m0s"}},
		"rate":                 {[]string{"--abs.rate=9"}, nil, []string{"--forensics.rate: is above the rate of target abs.example.com, --abs.rate: 10 above 9"}},
		"rate, no forensics":   {[]string{"--abs.rate=9", "--no-forensics.enabled"}, nil, nil},
		"unknown variable":     {nil, map[string]string{"ABS_EXPORTER_ABS_TIMEZON": "x"}, []string{"ABS_EXPORTER_ABS_TIMEZON: there is no such setting; did you mean ABS_EXPORTER_ABS_TIMEZONE?"}},
		"another's variable":   {nil, map[string]string{"ABS_EXPORTER_SIMULATE_TOKENS": "7", "ABS_EXPORTERS": "x"}, nil},
		"readable key":         {[]string{"--abs.access-key-file=DIR/open"}, nil, []string{"--abs.access-key-file: other users may read DIR/open"}},
		"readable token key":   {[]string{"--series.token-key-file=DIR/open"}, nil, []string{"--series.token-key-file: other users may read DIR/open"}},
		"one URL":              {[]string{"--config=DIR/targets.yml"}, nil, []string{"targets: one and two have one URL"}},
		"family of no alert":   {[]string{"--series.exclude-families=abs_token_ip.*,abs_window_ips"}, nil, nil},
		"family of an alert":   {[]string{"--series.exclude-families=abs_license_expired"}, nil, []string{"--series.exclude-families: leaves out abs_license_expired, which alert rules need: ABSLicenseExpired"}},
		"recorded for alerts":  {[]string{"--series.exclude-families=abs_api_requests_total"}, nil, []string{"--series.exclude-families: leaves out abs_api_requests_total, which alert rules need: ABSAPINotTrained, ABSAPISilent, ABSAPITrafficHigh"}},
		"Kubernetes variables": {nil, map[string]string{service: ""}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cleanEnv(t)
			for names, v := range test.env {
				for _, k := range strings.Fields(names) {
					t.Setenv(k, v)
				}
			}
			got := warnings(t, name == "one URL", test.args)
			if !slices.Equal(got, test.want) {
				t.Errorf("warns of %q, want %q", got, test.want)
			}
		})
	}
}

// warnings returns what a command line warns of. DIR in it is a directory with keys, with a file
// that others may read, and with a configuration file of three targets.
func warnings(t *testing.T, ofFile bool, more []string) (all []string) {
	t.Helper()
	dir := keyFiles(t)
	write(t, filepath.Join(dir, "open"), "a-key-that-all-may-read")
	if err := os.Chmod(filepath.Join(dir, "open"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "targets.yml"), "targets: [{name: one, url: 'https://abs.example.com'}, "+
		"{name: two, url: 'https://ABS.example.com:443/'}, {name: three, url: 'https://abs.example.com:8443'}]\n")
	args := []string{"--abs.access-key-file=DIR/access", "--abs.secret-key-file=DIR/secret"}
	if !ofFile {
		args = append(args, "--abs.url=https://abs.example.com")
	}
	args = append(args, more...)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	for _, w := range parsed[Serve](t, args...).Warnings {
		all = append(all, strings.ReplaceAll(w.Setting+": "+w.Detail, dir, "DIR"))
		if w.Consequence == "" {
			t.Errorf("nothing follows from %s", w.Setting)
		}
	}
	return all
}

// The effective settings say where each is from, and hide what is secret.
func TestEffective(t *testing.T) {
	cleanEnv(t)
	dir, working := keyFiles(t), t.TempDir()
	t.Chdir(working)
	write(t, "one", "canary")
	config := filepath.Join(dir, "c.yml")
	write(t, config, "collect: {slot: 20m}\ntargets: [{name: one, url: 'https://abs.example.com', rate: 5}]\n")
	t.Setenv("ABS_EXPORTER_COLLECT_REREAD", "4m")
	t.Setenv(envAccessKey, "canary-access")
	t.Setenv(envSecretKey, "canary-secret")
	c := parsed[Serve](t, "--config="+config, "--collect.interval=90s", "--otlp.endpoint=http://collector:4318",
		"--abs.header-file=X-One=one", "--abs.header-file=X-Two="+filepath.Join(dir, "access"))
	got := map[string]string{}
	for _, e := range c.Effective {
		got[e.Name] = strings.ReplaceAll(e.Value+" from "+e.Origin, dir, "DIR")
	}
	for name, want := range map[string]string{
		"collect.settle": "2h from default", "collect.slot": "20m from DIR/c.yml:1: key collect.slot", "collect.interval": "1m30s from --collect.interval",
		"collect.reread": "4m from --collect.reread (from ABS_EXPORTER_COLLECT_REREAD)", "abs.rate": "20 from default",
		"abs.response-cap": "100000000B from default", "targets[0].rate": "5 from DIR/c.yml:2: key targets[0].rate",
		"targets[0].url": "https://abs.example.com from DIR/c.yml:2: key targets[0].url", "series.dimensions": "method,api,device from default",
		envAccessKey: "(hidden) from the environment", envSecretKey: "(hidden) from the environment",
		"otlp.endpoint": "http://collector:4318 from --otlp.endpoint", "state.dir": working + "/data from default",
		"abs.header-file": "X-One=" + working + "/one;X-Two=DIR/access from --abs.header-file",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if text := fmt.Sprint(got); strings.Contains(text, "canary") {
		t.Errorf("a secret is shown: %s", text)
	}
}

// What /config serves is a configuration file with the same effect, without what is secret. The
// file here sets each list and each mapping that there is, with what has a meaning in YAML, in a
// regular expression or on the command line.
func TestEffectiveAsYAML(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	config := filepath.Join(dir, "c.yml")
	fingerprint := strings.Repeat("ab", 32)
	write(t, filepath.Join(dir, "header"), "canary")
	write(t, config, `
collect: {slot: 20m}
abs:
  labels: {env: "prod, yes; no=#1", team: "on"}
  header-file: {X-One: header, X-Two: header}
  tls: {fingerprint: [`+fingerprint+", "+strings.Repeat("AB:", 31)+"CD"+`]}
  access-key-file: access
  secret-key-file: secret
forensics: {severity: {1: info, Stolen Token Attack Type 1: critical}}
series:
  max-values-of: {api: 200, ip: 7}
  deny-devices: '(?i).*\(\+https?://[^;,]{1,9};\).*'
  allow-apis: shop|"a;b"|#x
  exclude-families: ['abs_token_ip_.{1,30}', abs_window_ips]
  dimensions: []
state: {dir: ""}
web: {listen-address: ["127.0.0.1:1", ":2"]}
otlp:
  endpoint: https://collector:4318/v1
  resource-attributes: {deployment.environment.name: "a;b", service.namespace: "yes"}
targets:
  - {name: one, url: 'https://abs.example.com', rate: 5, labels: {}}
  - name: 'yes: #2'
    url: https://b
    collect: {interval: 4m}
    series: {dimensions: [ip, method], exclude-families: abs_window_.*, max-values-of: {device: 3}}
    header-file: {X-Three: header}
    proxy-url: http://exporter@proxy:3128
`)
	first := parsed[Serve](t, "--config="+config, "--collect.window=1d")
	text, err := first.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{"canary", "exporter@"} {
		if strings.Contains(string(text), hidden) {
			t.Errorf("%s is shown:\n%s", hidden, text)
		}
	}
	again := filepath.Join(dir, "again.yml")
	write(t, again, strings.ReplaceAll(string(text), "(hidden)@proxy", "exporter@proxy"))
	second := parsed[Serve](t, "--config="+again)
	for _, pair := range [][2]any{
		{first.PerTarget, second.PerTarget},
		{first.Web, second.Web},
		{first.OTLP, second.OTLP},
		{first.State, second.State},
		{first.Audit, second.Audit},
		{first.Admin, second.Admin},
		{first.Log, second.Log},
		{len(second.Targets), 2},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%+v is %+v when it is read again from\n%s", pair[0], pair[1], text)
		}
	}
	for i := range second.Targets {
		if !second.Targets[i].SameSettings(&first.Targets[i]) {
			t.Errorf("target %d differs: %+v, %+v", i, first.Targets[i], second.Targets[i])
		}
	}
	data, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	set, err := configfile.Parse(config, data, commandFlags(t, "serve"))
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range commandFlags(t, "serve") {
		if _, isSet := set.Values[flag.Name]; flag.IsCumulative() && !isSet {
			t.Errorf("%s is not set here", flag.Name)
		}
	}
}

func TestPasswordsOfURLsAreHidden(t *testing.T) {
	for value, want := range map[string]string{
		"http://u:canary@proxy:3128/x":            "http://(hidden)@proxy:3128/x",
		"https://canary@x":                        "https://(hidden)@x",
		"http://u:p@canary@x/a@b":                 "http://(hidden)@x/a@b",
		"https://x/v1?api-key=canary&b=c":         "https://x/v1?(hidden)",
		"https://abs.example.com:8080":            "https://abs.example.com:8080",
		"a@b?c":                                   "a@b?c",
		"http://u:canary@a:1,http://v:canary@b:2": "http://(hidden)@a:1,http://(hidden)@b:2",
	} {
		if got := hidePassword(value); got != want {
			t.Errorf("%s is shown as %s, want %s", value, got, want)
		}
	}
}
