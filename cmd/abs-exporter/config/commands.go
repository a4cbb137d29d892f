package config

import "github.com/alecthomas/kong"

// commands is the one description of commands and flags: parsing, environment variables, the keys
// of the configuration file and docs/configuration.md are all made from it.
//
// serve, check, resolve, backfill, healthcheck and demo share their flags; a set tag here is the
// default of one of them.
type commands struct {
	HelpLong    helpLongFlag `env:"-" help:"Show help with all flags."`
	ShowVersion versionFlag  `name:"version" env:"-" help:"Print version, commit and Go version."`

	Serve Serve `cmd:"" default:"withargs" help:"Poll every target and serve its metrics (the default command)." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h" set:"admin=5m"`

	Demo Demo `cmd:"" help:"Try it out: a simulated ABS on loopback, polled and served, with nothing to configure." set:"interval=5s" set:"slot=2m" set:"reread=10s" set:"settle=3m" set:"window=5m" set:"lookback=20m" set:"dimensions=method,api,device,ip,url" set:"statedir=" set:"listen=127.0.0.1:10464" set:"loglevel=warn" set:"absrate=50" set:"forensicsrate=25" set:"audit=4m" set:"admin=15s" set:"tokens=40" set:"rate=240" set:"batch=1m" set:"delay=20s" set:"delaymax=1m" set:"training=search"`

	Simulate Simulate `cmd:"" help:"Run the simulated ABS alone, over HTTPS with a self-signed certificate." set:"tokens=100" set:"rate=60" set:"batch=10m" set:"delay=5m" set:"delaymax=2h" set:"training="`

	Check Check `cmd:"" help:"Ask ABS what its documentation leaves open, in 40 requests at most, and print what to set. Accepts the flags of serve." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h" set:"admin=5m"`

	Resolve Resolve `cmd:"" help:"Find the token behind a token id in ABS's reports, and print what ABS reports of it. Accepts the flags of serve." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h" set:"admin=5m"`

	Backfill Backfill `cmd:"" help:"Write the history of the request counters from before the first start, as OpenMetrics text with timestamps. Accepts the flags of serve." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h" set:"admin=5m"`

	Healthcheck Healthcheck `cmd:"" help:"Ask the exporter on this machine whether it is alive, for the health check of a container. Accepts the flags of serve, and asks the first of --web.probe-address and --web.listen-address." set:"interval=2m" set:"slot=30m" set:"reread=10m" set:"settle=2h" set:"window=3h" set:"lookback=0s" set:"dimensions=method,api,device" set:"statedir=data/" set:"listen=:10464" set:"loglevel=info" set:"absrate=20" set:"forensicsrate=10" set:"audit=24h" set:"admin=5m"`

	Assets Assets `cmd:"" help:"Write the dashboards, alert rules, Alertmanager example and runbooks that the binary carries, as files, for Kubernetes, or for jsonnet."`

	Help Help `cmd:"" help:"Show the commands, or the flags and examples of one."`

	Completion Completion `cmd:"" help:"Print the script that has a shell complete commands, flags and values."`

	Version Version `cmd:"" help:"Print version, commit and Go version."`
}

// Serve is the command serve.
type Serve struct{ Settings }

// validate leaves serve the targets of its shard. Other commands look at all targets.
func (s *Serve) validate(v *validation) {
	s.Settings.validate(v)
	s.Sharding.validate(v)
	if len(v.errs) == 0 {
		s.Targets, s.OtherShards = s.Sharding.split(s.Targets)
	}
	if s.OtherShards != nil && s.Series.TokenKeyFile == "" {
		v.warn(noTarget, "targets.shards", "is above 1 without --series.token-key-file",
			"each shard generates a token key of its own: the state of a target that moves to another shard cannot be used there")
	}
}

// Demo is the command demo. It has no targets before the simulated ABS runs.
type Demo struct {
	Settings
	Simulator Simulator `embed:"" prefix:"simulate." group:"simulate"`
}

// Simulate is the command simulate.
type Simulate struct {
	Simulator Simulator        `embed:"" prefix:"simulate." group:"simulate"`
	Listen    SimulateListener `embed:"" prefix:"simulate." group:"simulate"`
}

// Version is the command version.
type Version struct{}

// flagGroups are the headings of the help and of the reference, in order.
func flagGroups() []kong.Group {
	return []kong.Group{
		{Key: "general", Title: "Configuration file"},
		{Key: "targets", Title: "Shards", Description: "Where one process is not enough for all targets."},
		{Key: "abs", Title: "ABS", Description: "Which ABS to poll, and how."},
		{Key: "collect", Title: "Collecting", Description: "What is requested, and when."},
		{Key: "forensics", Title: "Forensics"},
		{Key: "series", Title: "Series", Description: "How many series there are, and how tokens are named."},
		{Key: "audit", Title: "Audit"},
		{Key: "admin", Title: "ABS's own state"},
		{Key: "state", Title: "State"},
		{Key: "web", Title: "Web"},
		{Key: "otlp", Title: "OpenTelemetry", Description: "Pushing over OTLP. Each flag stands for the OTEL_* variable that it names and takes precedence over it; a variable of one signal, such as OTEL_EXPORTER_OTLP_METRICS_ENDPOINT, takes precedence over both."},
		{Key: "log", Title: "Log"},
		{Key: "check", Title: "Checking", Description: "Of check, flags only."},
		{Key: "resolve", Title: "Resolving a token id", Description: "Of resolve, flags only."},
		{Key: "backfill", Title: "Writing history", Description: "Of backfill, flags only."},
		{Key: "assets", Title: "Assets", Description: "Of assets, flags only."},
		{Key: "simulate", Title: "Simulated ABS", Description: "Of simulate and of demo."},
	}
}
