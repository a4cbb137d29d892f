package main

import (
	"time"

	"github.com/alecthomas/kong"
)

// Values of flags that the code asks for.
const (
	userRestricted     = "restricted"
	windowEndInclusive = "inclusive"
)

// cli is the one description of commands and flags: parsing, environment variables,
// the keys of the configuration file and docs/configuration.md are all made from it.
//
// serve and demo share their flags; where their defaults differ, a set tag here gives
// each its own.
type cli struct {
	Serve serveCmd `cmd:"" default:"withargs" help:"Poll every target and serve its metrics (the default command)." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h"`

	Demo demoCmd `cmd:"" help:"Try it out: a simulated ABS on loopback, polled and served, with nothing to configure." set:"interval=5s" set:"slot=2m" set:"reread=10s" set:"settle=3m" set:"window=5m" set:"lookback=20m" set:"dimensions=method,api,device,ip" set:"statedir=" set:"listen=127.0.0.1:10464" set:"loglevel=warn" set:"absrate=50" set:"forensicsrate=25" set:"audit=4m" set:"tokens=40" set:"rate=240" set:"batch=1m" set:"delay=20s" set:"delaymax=1m"`

	Simulate simulateCmd `cmd:"" help:"Run the simulated ABS alone, over HTTPS with a certificate of its own making." set:"tokens=100" set:"rate=60" set:"batch=10m" set:"delay=5m" set:"delaymax=2h"`

	Resolve resolveCmd `cmd:"" help:"Find the token behind a token id in ABS's reports, and print what ABS knows of it. Takes the flags of serve." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h"`

	Assets assetsCmd `cmd:"" help:"Write the dashboards, alert rules and Alertmanager example that the binary carries."`

	Version versionCmd `cmd:"" help:"Print version, commit and Go version."`
}

type serveCmd struct{ settings }

type demoCmd struct {
	settings
	Sim simulateFlags `embed:"" prefix:"simulate." group:"simulate"`
}

type simulateCmd struct {
	Sim    simulateFlags  `embed:"" prefix:"simulate." group:"simulate"`
	Listen simulateListen `embed:"" prefix:"simulate." group:"simulate"`
}

type versionCmd struct{}

// settings are the flags of serve.
type settings struct {
	Config configFile `placeholder:"FILE" group:"general" help:"YAML file with the same settings, nested at the dots, and the list targets."`

	ABS       absFlags       `embed:"" prefix:"abs." group:"abs"`
	Collect   collectFlags   `embed:"" prefix:"collect." group:"collect"`
	Forensics forensicsFlags `embed:"" prefix:"forensics." group:"forensics"`
	Series    seriesFlags    `embed:"" prefix:"series." group:"series"`
	Audit     auditFlags     `embed:"" prefix:"audit." group:"audit"`
	State     stateFlags     `embed:"" prefix:"state." group:"state"`
	Web       webFlags       `embed:"" prefix:"web." group:"web"`
	OTLP      otlpFlags      `embed:"" prefix:"otlp." group:"otlp"`
	Log       logFlags       `embed:"" prefix:"log." group:"log"`
}

// absFlags is one target. The entries of the list targets take the same keys.
type absFlags struct {
	URL           string        `name:"url" placeholder:"URL" help:"Base URL of ABS, such as https://abs.example.com:8080. Plain http is allowed, with a warning."`
	Name          string        `placeholder:"NAME" help:"Value of the label target. Default: the host of the URL."`
	AccessKeyFile string        `placeholder:"FILE" help:"File that holds the access key; read again when it changes. Or the variable ABS_EXPORTER_ABS_ACCESS_KEY. Never a flag's value."`
	SecretKeyFile string        `placeholder:"FILE" help:"File that holds the secret key; read again when it changes. Or the variable ABS_EXPORTER_ABS_SECRET_KEY. Never a flag's value."`
	User          string        `default:"admin" enum:"admin,restricted" help:"Whose keys they are: admin or restricted. To a restricted user ABS gives obfuscated tokens and no forensics."`
	Timezone      string        `default:"UTC" help:"IANA name of the zone that ABS's times are in."`
	WindowEnd     string        `default:"exclusive" enum:"exclusive,inclusive" help:"Whether the minute of later_date is in the window: exclusive or inclusive."`
	Timeout       time.Duration `default:"60s" help:"Time limit of one request, whole, once it is sent."`
	Rate          float64       `default:"${absrate}" help:"Requests a second at most to one target, all reports together."`
	Concurrency   int           `default:"8" help:"Requests at once at most to one target, all reports together."`
	ResponseCap   byteSize      `default:"100MB" help:"How large an answer ABS gives (its response_size). A body past twice this is refused. 1 MB is 1,000,000 bytes, 1 MiB 1,048,576."`
	TLS           tlsFlags      `embed:"" prefix:"tls."`
}

type tlsFlags struct {
	CAFile             string `name:"ca-file" placeholder:"FILE" help:"PEM certificates to trust instead of the system's."`
	CertFile           string `placeholder:"FILE" help:"PEM client certificate to show to ABS."`
	KeyFile            string `placeholder:"FILE" help:"PEM key of the client certificate."`
	ServerName         string `placeholder:"NAME" help:"Name to expect in ABS's certificate instead of the URL's host."`
	Fingerprint        string `placeholder:"HEX" help:"SHA-256 of ABS's certificate, in hex with or without colons: it alone is trusted, whatever name it bears. For the self-signed one that ABS ships."`
	InsecureSkipVerify bool   `help:"Trust whoever answers, with a warning. Anyone on the way can then read the keys."`
}

type collectFlags struct {
	Interval    time.Duration `default:"${interval}" help:"Time between the starts of cycles."`
	Slot        time.Duration `default:"${slot}" help:"Length of a slot: whole minutes that divide a day."`
	Reread      time.Duration `default:"${reread}" help:"How often ended slots and the window report are read again. A failed read is tried again in the next cycle."`
	Settle      time.Duration `default:"${settle}" help:"How long after its end a slot is still read (an ABS job may take up to 2h)."`
	Window      time.Duration `default:"${window}" help:"Length of the sliding window of the gauges and of forensics: whole minutes, longer than ABS is late, or an attack would never be seen."`
	Lookback    time.Duration `default:"${lookback}" help:"A start without state counts from this long ago, to the minute. 0s: only what ABS adds after the start."`
	MaxBackfill time.Duration `default:"24h" help:"After a pause, how far back missed slots are made up."`
}

type forensicsFlags struct {
	Enabled       bool              `default:"true" negatable:"" help:"Ask ABS for the forensics of the window's tokens: attacks and anomalies."`
	Rate          float64           `default:"${forensicsrate}" help:"Forensics calls a second at most, within --abs.rate; tokens most worth asking about first."`
	AttackReports bool              `default:"true" negatable:"" help:"Read ABS's attack list and attack report once a cycle, to learn whom to ask about first."`
	Severity      map[string]string `placeholder:"TYPE=SEVERITY" help:"Severity of an attack type (its name or id) in place of the one of docs/attack-types.md: critical, warning or info. Repeatable."`
}

type auditFlags struct {
	Interval time.Duration `default:"${audit}" help:"Settled stretches are read again and held against what was counted. 0s: never."`
}

type seriesFlags struct {
	TokenKeyFile string        `placeholder:"FILE" help:"Key of the token id: the file's bytes less a last line break, 16 at least. Default: made once and kept in the state directory."`
	MaxTokens    int           `default:"1000" help:"Tokens with series of their own; the rest share _other. 0: no families with the label token."`
	MaxValues    int           `default:"100" help:"Values of any other label with series of their own; the rest share _other."`
	Dimensions   []string      `default:"${dimensions}" help:"Which of method, api, device and ip get series per token. Empty: none."`
	Expire       time.Duration `default:"2h" help:"A token without new requests gives up its series after this."`
}

type stateFlags struct {
	Dir string `default:"${statedir}" help:"Directory where counters, open slots and the token key survive a restart. Empty: in memory only."`
}

type webFlags struct {
	ListenAddress      []string `default:"${listen}" help:"Address to listen on; repeatable."`
	TelemetryPath      string   `default:"/metrics" help:"Path of the metrics."`
	OpenmetricsCreated bool     `help:"Write _created lines in OpenMetrics text. A Prometheus without the feature for them stores them as series."`
	Config             webFile  `embed:"" prefix:"config."`
	ProbeAddress       string   `placeholder:"ADDR" help:"A listener of its own, without auth, for /healthz and /readyz."`
}

type webFile struct {
	File string `placeholder:"FILE" help:"TLS and basic auth of the listeners, as in every Prometheus exporter (exporter-toolkit)."`
}

type logFlags struct {
	Level  string `default:"${loglevel}" enum:"debug,info,warn,error" help:"Least severity to log: debug, info, warn or error."`
	Format string `default:"logfmt" enum:"logfmt,json" help:"Format of the log: logfmt or json."`
}

// flagGroups are the headings of the help and of the reference, in order.
func flagGroups() []kong.Group {
	return []kong.Group{
		{Key: "general", Title: "Configuration file"},
		{Key: "abs", Title: "ABS", Description: "Whom to ask, and how."},
		{Key: "collect", Title: "Collecting", Description: "What is asked, and when."},
		{Key: "forensics", Title: "Forensics"},
		{Key: "series", Title: "Series", Description: "How many series there are, and how tokens are named."},
		{Key: "audit", Title: "Audit"},
		{Key: "state", Title: "State"},
		{Key: "web", Title: "Web"},
		{Key: "otlp", Title: "OpenTelemetry", Description: "Pushing over OTLP. Each flag stands for the OTEL_* variable that it names and goes before it; a variable of one signal, such as OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, goes before both."},
		{Key: "log", Title: "Log"},
		{Key: "resolve", Title: "Resolving a token id", Description: "Of resolve, flags only."},
		{Key: "assets", Title: "Assets", Description: "Of assets, flags only."},
		{Key: "simulate", Title: "Simulated ABS", Description: "Of simulate and of demo."},
	}
}
