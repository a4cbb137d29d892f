package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
)

// cleanEnv removes this program's variables from the environment of a test.
func cleanEnv(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, envPrefix) {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// keyFiles writes files of keys into a directory.
func keyFiles(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "access"), "canary-access\n")
	write(t, filepath.Join(dir, "secret"), "canary-secret\n")
	write(t, filepath.Join(dir, "colon"), "canary:secret\n")
	write(t, filepath.Join(dir, "short"), "canary-key-15ch\n")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// refused parses arguments that must be refused and returns the messages. DIR stands for dir in the
// arguments and in the messages.
func refused(t *testing.T, dir string, args ...string) string {
	t.Helper()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	var stdout bytes.Buffer
	command, err := Parse(args, time.Now(), &stdout)
	if usage := (*UsageError)(nil); !errors.As(err, &usage) {
		t.Fatalf("got %v and the error %v", command, err)
	}
	if stdout.Len() > 0 {
		t.Errorf("standard output has: %s", &stdout)
	}
	if strings.Contains(err.Error(), "canary") {
		t.Errorf("a message contains a key: %s", err)
	}
	return strings.ReplaceAll(err.Error(), dir, "DIR")
}

func TestBadFlags(t *testing.T) {
	const url = "--abs.url=https://abs.example.com"
	keys := []string{url, "--abs.access-key-file=DIR/access", "--abs.secret-key-file=DIR/secret"}
	with := func(more ...string) []string { return append(keys[:len(keys):len(keys)], more...) }
	for name, test := range map[string]struct {
		args []string
		env  map[string]string
		want []string
	}{
		"no url":         {nil, nil, []string{"--abs.url: is missing: give ABS's base URL, such as https://abs.example.com:8080, or try abs-exporter demo"}},
		"unknown flag":   {[]string{"--abs.key=canary"}, nil, []string{"unknown flag --abs.key"}},
		"a key as flag":  {[]string{"--abs.access-key=canary"}, nil, []string{`unknown flag --abs.access-key; did you mean --abs.access-key-file?`}},
		"no command":     {[]string{"server"}, nil, []string{`unexpected argument server; did you mean serve?`}},
		"no keys":        {[]string{url}, nil, []string{"--abs.access-key-file: is missing: give --abs.access-key-file and --abs.secret-key-file, or the variables ABS_EXPORTER_ABS_ACCESS_KEY and ABS_EXPORTER_ABS_SECRET_KEY"}},
		"one key file":   {[]string{url, "--abs.access-key-file=DIR/access"}, nil, []string{"--abs.secret-key-file: is missing beside abs.access-key-file"}},
		"other key file": {[]string{url, "--abs.secret-key-file=DIR/secret"}, nil, []string{"--abs.access-key-file: is missing beside abs.secret-key-file"}},
		"one key":        {[]string{url}, map[string]string{envAccessKey: "canary"}, []string{"--abs.secret-key-file: ABS_EXPORTER_ABS_ACCESS_KEY is set, but not ABS_EXPORTER_ABS_SECRET_KEY"}},
		"other key":      {[]string{url}, map[string]string{envSecretKey: "canary"}, []string{"--abs.access-key-file: ABS_EXPORTER_ABS_SECRET_KEY is set, but not ABS_EXPORTER_ABS_ACCESS_KEY"}},

		"url of ftp":        {with("--abs.url=ftp://x"), nil, []string{"--abs.url: is no URL of the form https://host:port or http://host:port"}},
		"url without host":  {with("--abs.url=https:///x"), nil, []string{"--abs.url: is no URL of the form https://host:port or http://host:port"}},
		"url not parsed":    {with("--abs.url=https://u:canary@x:port"), nil, []string{"--abs.url: is no URL of the form https://host:port or http://host:port"}},
		"url with password": {with("--abs.url=https://u:canary@x"), nil, []string{"--abs.url: must hold no user name or password; ABS takes keys: --abs.access-key-file"}},
		"url with query":    {with("--abs.url=https://x?token=canary"), nil, []string{"--abs.url: must have neither ? nor #"}},
		"url of variable":   {keys[1:], map[string]string{"ABS_EXPORTER_ABS_URL": "abs.example.com"}, []string{"--abs.url (from ABS_EXPORTER_ABS_URL): is no URL of the form https://host:port or http://host:port"}},

		"url with a high port": {with("--abs.url=https://x:99999"), nil, []string{"--abs.url: has no port from 1 to 65535 after its colon"}},
		"url with no port":     {with("--abs.url=https://x:"), nil, []string{"--abs.url: has no port from 1 to 65535 after its colon"}},
		"url with port 0":      {with("--abs.url=https://[::1]:0/x"), nil, []string{"--abs.url: has no port from 1 to 65535 after its colon"}},
		"enum of variable":     {keys, map[string]string{"ABS_EXPORTER_ABS_USER": "root"}, []string{`--abs.user (from ABS_EXPORTER_ABS_USER) must be one of "admin","restricted" but got "root"`}},
		"flag before variable": {with("--abs.user=root"), map[string]string{"ABS_EXPORTER_ABS_USER": "admin"}, []string{`--abs.user must be one of "admin","restricted" but got "root"`}},
		"file of variable":     {keys, map[string]string{"ABS_EXPORTER_WEB_CONFIG_FILE": "none"}, []string{"--web.config.file (from ABS_EXPORTER_WEB_CONFIG_FILE): stat none: no such file or directory"}},
		"secret file missing":  {with("--abs.secret-key-file=DIR/none"), nil, []string{"--abs.secret-key-file: the secret key cannot be read: open DIR/none: no such file or directory"}},
		"secret of variable":   {[]string{url}, map[string]string{envAccessKey: "canary", envSecretKey: "canary:"}, []string{"--abs.secret-key-file: ABS_EXPORTER_ABS_SECRET_KEY: the secret key contains a colon, which ABS does not allow in keys"}},
		"two kinds of trust":   {with("--abs.tls.ca-file=x", "--abs.tls.fingerprint=00"), nil, []string{"--abs.tls.fingerprint: replaces the check of the chain, and cannot be used together with abs.tls.ca-file"}},
		"trust of everything":  {with("--abs.tls.insecure-skip-verify", "--abs.tls.fingerprint=00"), nil, []string{"--abs.tls.fingerprint: cannot be used together with abs.tls.insecure-skip-verify"}},
		"pprof without probe":  {with("--web.enable-pprof"), nil, []string{"--web.enable-pprof: needs --web.probe-address: profiles are served on that listener only"}},
		"two kinds of sockets": {with("--web.systemd-socket", "--web.listen-address=:1"), nil, []string{"--web.systemd-socket: cannot be used together with --web.listen-address: systemd has the addresses"}},
		"path of the status":   {with("--web.telemetry-path=/api/v1/status"), nil, []string{"--web.telemetry-path: /api/v1/status serves another page"}},
		"high port to listen":  {with("--web.listen-address=:99999"), nil, []string{`--web.listen-address: ":99999" is no address of the form host:port or :port`}},

		"user":            {with("--abs.user=root"), nil, []string{`--abs.user must be one of "admin","restricted" but got "root"`}},
		"zone":            {with("--abs.timezone=Mars/Olympus"), nil, []string{`--abs.timezone: unknown time zone "Mars/Olympus"`}},
		"zone Local":      {with("--abs.timezone=Local"), nil, []string{`--abs.timezone: "Local" is ABS's word for the zone of its host, which is not known here; name that zone, such as Asia/Kolkata`}},
		"zone local":      {with("--abs.timezone=local"), nil, []string{`--abs.timezone: "local" is ABS's word for the zone of its host, which is not known here; name that zone, such as Asia/Kolkata`}},
		"no zone":         {with("--abs.timezone="), nil, []string{`--abs.timezone: "" is no name of a zone; name it, such as Asia/Kolkata`}},
		"window end":      {with("--abs.window-end=open"), nil, []string{`--abs.window-end must be one of "exclusive","inclusive" but got "open"`}},
		"timeout":         {with("--abs.timeout=0s"), nil, []string{"--abs.timeout: must be above 0s but is 0s"}},
		"no duration":     {with("--abs.timeout=60"), nil, []string{`--abs.timeout: expected duration but got "60": time: missing unit in duration "60"`}},
		"env no duration": {keys, map[string]string{"ABS_EXPORTER_COLLECT_SLOT": "x"}, []string{`--collect.slot: expected duration but got "x": time: invalid duration "x" (from envar ABS_EXPORTER_COLLECT_SLOT="x")`}},
		"rate":            {with("--abs.rate=0"), nil, []string{"--abs.rate: must be above 0"}},
		"rate NaN":        {with("--abs.rate=NaN"), nil, []string{"--abs.rate: must be a number but is NaN"}},
		"rate inf":        {with("--abs.rate=inf"), nil, []string{"--abs.rate: must be a number but is +Inf"}},
		"rate infinity":   {with("--abs.rate=-Infinity"), nil, []string{"--abs.rate: must be a number but is -Inf"}},
		"forensics nan":   {with("--forensics.rate=nan"), nil, []string{"--forensics.rate: must be a number but is NaN"}},
		"forensics inf":   {with("--forensics.rate=+inf"), nil, []string{"--forensics.rate: must be a number but is +Inf"}},
		"concurrency":     {with("--abs.concurrency=0"), nil, []string{"--abs.concurrency: must be 1 or more"}},
		"cap":             {with("--abs.response-cap=0MB"), nil, []string{"--abs.response-cap: must be above 0"}},
		"cap unit":        {with("--abs.response-cap=100"), nil, []string{`--abs.response-cap: expected a size such as 100MB or 64KiB but got "100"`}},
		"client cert":     {with("--abs.tls.cert-file=DIR/c"), nil, []string{"--abs.tls.key-file: is missing beside abs.tls.cert-file"}},
		"client key":      {with("--abs.tls.key-file=DIR/c"), nil, []string{"--abs.tls.cert-file: is missing beside abs.tls.key-file"}},

		"interval":             {with("--collect.interval=0s"), nil, []string{"--collect.interval: must be above 0s but is 0s"}},
		"interval above slot":  {with("--collect.interval=31m", "--collect.reread=1h"), nil, []string{"--collect.interval: must not be longer than a slot (30m0s) but is 31m0s"}},
		"slot of seconds":      {with("--collect.slot=90s"), nil, []string{"--collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 1m30s"}},
		"slot no part of day":  {with("--collect.slot=7m"), nil, []string{"--collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 7m0s"}},
		"slot of no length":    {with("--collect.slot=0s"), nil, []string{"--collect.slot: must be whole minutes that divide a day, such as 10m, 30m or 1h, but is 0s"}},
		"reread":               {with("--collect.reread=1m"), nil, []string{"--collect.reread: must not be shorter than the interval (2m0s) but is 1m0s"}},
		"settle":               {with("--collect.settle=-1s"), nil, []string{"--collect.settle: must not be negative but is -1s"}},
		"window below slot":    {with("--collect.window=29m"), nil, []string{"--collect.window: must not be shorter than a slot (30m0s) but is 29m0s"}},
		"window of seconds":    {with("--collect.window=100m1s"), nil, []string{"--collect.window: must be whole minutes but is 1h40m1s"}},
		"max-backfill":         {with("--collect.max-backfill=2h29m"), nil, []string{"--collect.max-backfill: must not be shorter than settle time and slot together (2h30m0s) but is 2h29m0s"}},
		"lookback":             {with("--collect.lookback=-1m"), nil, []string{"--collect.lookback: must not be negative but is -1m0s"}},
		"lookback too far":     {with("--collect.lookback=25h"), nil, []string{"--collect.lookback: must not be longer than --collect.max-backfill (24h0m0s) but is 25h0m0s"}},
		"admin interval":       {with("--admin.interval=0s"), nil, []string{"--admin.interval: must be above 0s but is 0s"}},
		"admin path":           {with("--abs.admin-path=v5/abs/admin?x"), nil, []string{"--abs.admin-path: must be a plain path that begins with /, such as /v5/abs/admin"}},
		"forensics rate":       {with("--forensics.rate=0"), nil, []string{"--forensics.rate: must be above 0; to request no forensics, use --no-forensics.enabled"}},
		"max tokens":           {with("--series.max-tokens=-1"), nil, []string{"--series.max-tokens: must not be negative but is -1"}},
		"too many tokens":      {with("--series.max-tokens=10000001"), nil, []string{"--series.max-tokens: must be 10000000 or less but is 10000001"}},
		"no end of tokens":     {with("--series.max-tokens=9223372036854775807"), nil, []string{"--series.max-tokens: must be 10000000 or less but is 9223372036854775807"}},
		"too many values":      {with("--series.max-values=1000001"), nil, []string{"--series.max-values: must be 1000000 or less but is 1000001"}},
		"max values":           {with("--series.max-values=0"), nil, []string{"--series.max-values: must be 1 or more but is 0"}},
		"limit of no label":    {with("--series.max-values-of=token=7"), nil, []string{`--series.max-values-of: unknown label "token"; there are method, api, device, ip, url`}},
		"limit of a label":     {with("--series.max-values-of=api=0"), nil, []string{"--series.max-values-of: api must be 1 to 1000000 but is 0"}},
		"allowed APIs":         {with("--series.allow-apis=(shop"), nil, []string{"--series.allow-apis: \"(shop\" is no regular expression: missing closing ): `(shop`"}},
		"denied devices":       {with("--series.deny-devices=a)|(b"), nil, []string{"--series.deny-devices: \"a)|(b\" is no regular expression: unexpected ): `a)|(b`"}},
		"no such family":       {with("--series.exclude-families=abs_tokens"), nil, []string{`--series.exclude-families: "abs_tokens" matches no family; docs/metrics.md has their names`}},
		"family of health":     {with("--series.exclude-families=abs_up"), nil, []string{`--series.exclude-families: "abs_up" matches abs_up, which is about the exporter itself and is always there; drop it in Prometheus by metric_relabel_configs`}},
		"dimension":            {with("--series.dimensions=method,country"), nil, []string{`--series.dimensions: unknown dimension "country"; there are method, api, device, ip, url`}},
		"dimension twice":      {with("--series.dimensions=api,api"), nil, []string{`--series.dimensions: "api" is named twice`}},
		"expire":               {with("--series.expire=0s"), nil, []string{"--series.expire: must be above 0s but is 0s"}},
		"token key missing":    {with("--series.token-key-file=DIR/none"), nil, []string{"--series.token-key-file: open DIR/none: no such file or directory"}},
		"token key short":      {with("--series.token-key-file=DIR/short"), nil, []string{"--series.token-key-file: DIR/short: the key has 15 bytes; it needs 16 or more"}},
		"max requests":         {with("--web.max-requests=-1"), nil, []string{"--web.max-requests: must not be negative but is -1"}},
		"address":              {with("--web.listen-address=10464"), nil, []string{`--web.listen-address: "10464" is no address of the form host:port or :port`}},
		"address without port": {with("--web.probe-address=localhost:"), nil, []string{`--web.probe-address: "localhost:" is no address of the form host:port or :port`}},
		"path":                 {with("--web.telemetry-path=metrics"), nil, []string{`--web.telemetry-path: must be a plain path that begins with / but is "metrics"`}},
		"path pattern":         {with("--web.telemetry-path=/{x}"), nil, []string{`--web.telemetry-path: must be a plain path that begins with / but is "/{x}"`}},
		"path of runbooks":     {with("--web.telemetry-path=/runbooks"), nil, []string{"--web.telemetry-path: /runbooks serves another page"}},
		"path taken":           {with("--web.telemetry-path=/healthz"), nil, []string{"--web.telemetry-path: /healthz serves another page"}},
		"web config":           {with("--web.config.file=DIR/none"), nil, []string{"--web.config.file: stat DIR/none: no such file or directory"}},
		"log level":            {with("--log.level=loud"), nil, []string{`--log.level must be one of "debug","info","warn","error" but got "loud"`}},
		"config missing":       {[]string{"--config=DIR/none.yml"}, nil, []string{"--config: open DIR/none.yml: no such file or directory"}},
		"config of variable":   {nil, map[string]string{"ABS_EXPORTER_CONFIG": "none.yml"}, []string{"--config (from ABS_EXPORTER_CONFIG): open none.yml: no such file or directory"}},
		"two at once":          {with("--abs.rate=0", "--series.max-values=0"), nil, []string{"--series.max-values: must be 1 or more but is 0", "--abs.rate: must be above 0"}},

		"completion of no shell":      {[]string{"completion"}, nil, []string{`expected "<bash|zsh|fish>"`}},
		"completion of another shell": {[]string{"completion", "tcsh"}, nil, []string{`<bash|zsh|fish> must be one of "bash","zsh","fish" but got "tcsh"`}},
		"help for two commands":       {[]string{"help", "serve", "check"}, nil, []string{"unexpected argument check"}},
		"a day and a bit":             {with("--collect.window=1d12"), nil, []string{`--collect.window: expected duration but got "1d12": whole weeks and days come first, as in 1w2d12h; 106751d at most`}},
		"days of a variable":          {keys, map[string]string{"ABS_EXPORTER_COLLECT_WINDOW": "1.5d"}, []string{`--collect.window: expected duration but got "1.5d": whole weeks and days come first, as in 1w2d12h; 106751d at most (from envar ABS_EXPORTER_COLLECT_WINDOW="1.5d")`}},
		"limit that is no number":     {with("--series.max-values-of=api=x"), nil, []string{`--series.max-values-of: invalid map value "x"`}},
		"limit without a label":       {with("--series.max-values-of=7"), nil, []string{`--series.max-values-of: expected "<key>=<value>" but got "7"`}},
		"denied APIs":                 {with("--series.deny-apis=["), nil, []string{"--series.deny-apis: \"[\" is no regular expression: missing closing ]: `[`"}},
		"allowed devices":             {with("--series.allow-devices=+"), nil, []string{"--series.allow-devices: \"+\" is no regular expression: missing argument to repetition operator: `+`"}},
		"pprof of a variable":         {keys, map[string]string{"ABS_EXPORTER_WEB_ENABLE_PPROF": "true"}, []string{"--web.enable-pprof (from ABS_EXPORTER_WEB_ENABLE_PPROF): needs --web.probe-address: profiles are served on that listener only"}},

		"demo with a url":      {[]string{"demo", url}, nil, []string{"--abs.url: the demo has its own ABS and sets this for it; --simulate.* changes that one"}},
		"demo with a batch":    {[]string{"demo", "--simulate.batch=90s"}, nil, []string{"--simulate.batch: must be whole minutes but is 1m30s"}},
		"simulate with faults": {[]string{"simulate", "--simulate.faults=x"}, nil, []string{"--simulate.faults: expected a JSON array of faults: invalid character 'x' looking for beginning of value"}},
		"simulate backwards":   {[]string{"simulate", "--simulate.delay-max=1s"}, nil, []string{"--simulate.delay-max: must not be shorter than --simulate.delay (5m0s) but is 1s"}},
		"simulate serve flag":  {[]string{"simulate", url}, nil, []string{"unknown flag --abs.url"}},
	} {
		t.Run(name, func(t *testing.T) {
			cleanEnv(t)
			for k, v := range test.env {
				t.Setenv(k, v)
			}
			want := strings.Join(test.want, "\n")
			if got := refused(t, keyFiles(t), slices.Clone(test.args)...); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// The client of ABS validates some settings itself: its messages must name the flag.
func TestClientSettings(t *testing.T) {
	cleanEnv(t)
	for _, test := range []struct{ arg, want string }{
		{"--abs.access-key-file=DIR/none", "--abs.access-key-file: "},
		{"--abs.access-key-file=DIR/colon", "--abs.access-key-file: "},
		{"--abs.tls.ca-file=DIR/none", "--abs.tls.ca-file: "},
		{"--abs.tls.ca-file=DIR/access", "--abs.tls.ca-file: "},
		{"--abs.tls.fingerprint=12:34", "--abs.tls.fingerprint: "},
	} {
		dir := keyFiles(t)
		got := refused(t, dir, "--abs.url=https://abs.example.com", "--abs.access-key-file=DIR/access", "--abs.secret-key-file=DIR/secret", test.arg)
		if !strings.HasPrefix(got, test.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: got %s", test.arg, got)
		}
	}
}

// parsed returns the command of arguments that are valid.
func parsed[C any](t *testing.T, args ...string) *C {
	t.Helper()
	command, err := Parse(args, time.Now(), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	c, ok := command.(*C)
	if !ok {
		t.Fatalf("the command is %T, want %T", command, c)
	}
	return c
}

// ABS's own spelling of UTC is a time zone.
func TestSpellingsOfUTC(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	for _, spelling := range []string{"utc", "Utc", "UTC", "uTC"} {
		s := parsed[Serve](t, "--abs.url=https://abs.example.com", "--abs.access-key-file="+dir+"/access", "--abs.secret-key-file="+dir+"/secret", "--abs.timezone="+spelling)
		if s.Targets[0].Location != time.UTC {
			t.Errorf("%s is %v", spelling, s.Targets[0].Location)
		}
	}
}

func TestPrecedence(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	file := filepath.Join(dir, "c.yml")
	write(t, file, strings.ReplaceAll(`
abs: {url: "https://file.example.com:8080/prefix", access-key-file: DIR/access, secret-key-file: DIR/secret}
collect: {interval: 3m, slot: 20m, reread: 4m}
forensics: {enabled: false}
web: {listen-address: ["127.0.0.1:1", "127.0.0.1:2"]}
series: {dimensions: []}
state: {dir: ""}
`, "DIR", dir))
	t.Setenv("ABS_EXPORTER_CONFIG", file)
	t.Setenv("ABS_EXPORTER_COLLECT_SLOT", "15m")
	t.Setenv("ABS_EXPORTER_COLLECT_REREAD", "6m")
	got := parsed[Serve](t, "--collect.reread=7m").Settings
	want := got
	want.Collect = Collect{
		Interval:    3 * time.Minute,  // file
		Slot:        15 * time.Minute, // the variable takes precedence over the file
		Reread:      7 * time.Minute,  // the flag takes precedence over the variable
		Settle:      2 * time.Hour,    // default
		Window:      3 * time.Hour,
		MaxBackfill: 24 * time.Hour,
	}
	want.Forensics = Forensics{Enabled: false, Rate: 10, AttackReports: true}
	want.Web.ListenAddress = []string{"127.0.0.1:1", "127.0.0.1:2"}
	want.Series.Dimensions = []string{}
	want.State.Dir = ""
	values := func(s Settings) Settings { // without functions, which are never equal
		s.Targets, s.Shared = nil, Target{}
		return s
	}
	if got, want := values(got), values(want); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if len(got.Targets) != 1 || got.Targets[0].Name != "file.example.com" {
		t.Errorf("targets: %+v", got.Targets)
	}
}

func TestDefaults(t *testing.T) {
	cleanEnv(t)
	t.Setenv(envAccessKey, "a")
	t.Setenv(envSecretKey, "b")
	all := []counts.Dimension{counts.Method, counts.API, counts.Device, counts.IP, counts.URL}
	s := parsed[Serve](t, "--abs.url=http://[::1]:8080").Settings
	if !s.Forensics.Enabled || s.Web.ListenAddress[0] != ":10464" || s.State.Dir != "data/" ||
		!slices.Equal(s.Shared.TokenDimensions, all[:3]) || s.ABS.ResponseCap != 100e6 || s.Log.Level != "info" {
		t.Errorf("defaults of serve: %+v", s)
	}
	if s.Targets[0].Name != "::1" {
		t.Errorf("the target is named %q", s.Targets[0].Name)
	}
	// A variable that is there for serve must not keep the demo from working.
	t.Setenv("ABS_EXPORTER_ABS_URL", "https://abs.example.com")
	d := parsed[Demo](t, "demo")
	if d.Collect.Interval != 5*time.Second || d.Collect.Slot != 2*time.Minute || d.State.Dir != "" || d.Log.Level != "warn" ||
		!slices.Equal(d.Shared.TokenDimensions, all) {
		t.Errorf("defaults of the demo: %+v", d)
	}
	if parsed[Serve](t, "--no-forensics.enabled").Forensics.Enabled {
		t.Error("--no-forensics.enabled has no effect")
	}
}

// A flag, a variable and a key take days and weeks alike.
func TestDurationsEverywhere(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	write(t, filepath.Join(dir, "c.yml"), "collect: {max-backfill: 1w}\nabs: {url: https://x, access-key-file: access, secret-key-file: secret}\n")
	t.Setenv("ABS_EXPORTER_AUDIT_INTERVAL", "2d")
	s := parsed[Serve](t, "--config="+filepath.Join(dir, "c.yml"), "--collect.window=1d12h")
	if s.Collect.MaxBackfill != 7*24*time.Hour || s.Audit.Interval != 48*time.Hour || s.Collect.Window != 36*time.Hour {
		t.Errorf("max-backfill %s, audit %s, window %s", s.Collect.MaxBackfill, s.Audit.Interval, s.Collect.Window)
	}
	if got := refused(t, dir, "--config=DIR/c.yml", "--collect.window=1d12"); got != `--collect.window: expected duration but got "1d12": whole weeks and days come first, as in 1w2d12h; 106751d at most` {
		t.Error(got)
	}
}
