package config

import (
	"crypto/sha256"
	"time"

	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/configfile"
)

// Settings are the flags of serve, and the values made from them once they are valid.
type Settings struct {
	Config configfile.Path `placeholder:"FILE" group:"general" help:"YAML file with the same settings, nested at the dots, and the list targets."`

	Sharding  Sharding `embed:"" prefix:"targets." group:"targets"`
	PerTarget `embed:""`

	Audit Audit `embed:"" prefix:"audit." group:"audit"`
	Admin Admin `embed:"" prefix:"admin." group:"admin"`
	State State `embed:"" prefix:"state." group:"state"`
	Web   Web   `embed:"" prefix:"web." group:"web"`
	OTLP  OTLP  `embed:"" prefix:"otlp." group:"otlp"`
	Log   Log   `embed:"" prefix:"log." group:"log"`

	// Targets has at least one entry, except in the demo and in a shard without any.
	Targets []Target `kong:"-"`
	// OtherShards has the targets of other shards by name; nil without sharding.
	OtherShards map[string]int `kong:"-"`
	// Shared is what holds for a target that has nothing of its own; its ABS is not validated.
	Shared Target `kong:"-"`
	// Effective are the settings that are in effect, and Warnings are about doubtful ones.
	Effective []Effective `kong:"-"`
	Warnings  []Warning   `kong:"-"`
	// FileSum is the SHA-256 of the configuration file that was read.
	FileSum [sha256.Size]byte `kong:"-"`

	values map[string]string // by name of the flag, as it would be written
}

// PerTarget are the settings that an entry of the list targets may have of its own. The keys of ABS
// stand there without their prefix.
type PerTarget struct {
	ABS       ABS       `embed:"" prefix:"abs." group:"abs"`
	Collect   Collect   `embed:"" prefix:"collect." group:"collect"`
	Forensics Forensics `embed:"" prefix:"forensics." group:"forensics"`
	Series    Series    `embed:"" prefix:"series." group:"series"`
}

func (s *Settings) settings() *Settings { return s }

// Logging returns how the process logs.
func (s *Settings) Logging() Log { return s.Log }

// ABS is one target. The entries of the list targets have the same keys.
type ABS struct {
	URL           string            `name:"url" placeholder:"URL" help:"Base URL of ABS, such as https://abs.example.com:8080. Plain http is allowed, with a warning."`
	Name          string            `placeholder:"NAME" help:"Value of the label target. Default: the host of the URL."`
	Labels        map[string]string `placeholder:"NAME=VALUE" help:"Labels of your own on every series of the target, such as env=prod; 16 at most. An entry of targets has its own instead of these. With other labels they are other series, which begin at 0. Repeatable."`
	AccessKeyFile string            `file:"" placeholder:"FILE" help:"File that holds the access key; read again when it changes. Or the variable ABS_EXPORTER_ABS_ACCESS_KEY. Never a flag's value."`
	SecretKeyFile string            `file:"" placeholder:"FILE" help:"File that holds the secret key; read again when it changes. Or the variable ABS_EXPORTER_ABS_SECRET_KEY. Never a flag's value."`
	User          string            `default:"admin" enum:"admin,restricted" help:"Whose keys they are: admin or restricted. ABS obfuscates tokens for the restricted user, and refuses it forensics."`
	Timezone      string            `default:"UTC" help:"IANA name of the zone that ABS's times are in. A wrong one is looked for and logged."`
	WindowEnd     string            `default:"exclusive" enum:"exclusive,inclusive" help:"Whether the minute of later_date is in the window: exclusive or inclusive."`
	Timeout       time.Duration     `default:"60s" help:"Time limit of one request, from sending it to the end of the response."`
	Rate          float64           `default:"${absrate}" help:"Requests per second at most to one target, all reports together."`
	Concurrency   int               `default:"8" help:"Requests at the same time at most to one target, all reports together."`
	ResponseCap   ByteSize          `default:"100MB" help:"ABS's limit for the size of a response (its response_size). A body of more than twice this is refused. 1 MB is 1,000,000 bytes, 1 MiB 1,048,576."`
	AdminPath     string            `placeholder:"PATH" help:"Path of ABS's admin report below the URL. Default: /v5/abs/admin, or /v4/abs/admin where ABS does not have that."`
	TLS           TLS               `embed:"" prefix:"tls."`

	ProxyURL          string            `name:"proxy-url" placeholder:"URL" help:"Forward proxy to ABS: http://host:port, with user@ where it asks for one; https, socks5 and socks5h too. Default: the variables HTTPS_PROXY, HTTP_PROXY and NO_PROXY."`
	ProxyPasswordFile string            `file:"" placeholder:"FILE" help:"File that holds the password of the user in --abs.proxy-url; read again when it changes."`
	NoProxy           string            `placeholder:"HOSTS" help:"Hosts, domains and networks that are requested without --abs.proxy-url, as NO_PROXY has them: separated by commas. Loopback is one of them then."`
	HeaderFile        map[string]string `file:"" placeholder:"NAME=FILE" help:"Header for a gateway in front of ABS, and the file that holds its value; read again when it changes. Repeatable."`
	BasicAuth         BasicAuth         `embed:"" prefix:"basic-auth."`
	BearerTokenFile   string            `file:"" placeholder:"FILE" help:"File that holds a bearer token for a gateway in front of ABS; read again when it changes."`
}

// BasicAuth is for a gateway in front of ABS.
type BasicAuth struct {
	User         string `placeholder:"NAME" help:"User of basic auth at a gateway in front of ABS."`
	PasswordFile string `file:"" placeholder:"FILE" help:"File that holds the password; read again when it changes."`
}

// TLS is TLS towards ABS. It has the fields of abs.TLSConfig.
type TLS struct {
	CAFile             string   `file:"" name:"ca-file" placeholder:"FILE" help:"PEM certificates to trust instead of the system's; read again for each connection."`
	CertFile           string   `file:"" placeholder:"FILE" help:"PEM client certificate for ABS; read again for each connection."`
	KeyFile            string   `file:"" placeholder:"FILE" help:"PEM key of the client certificate."`
	ServerName         string   `placeholder:"NAME" help:"Name to expect in ABS's certificate instead of the URL's host."`
	Fingerprint        []string `placeholder:"HEX" help:"SHA-256 of ABS's certificate, in hex with or without colons: only that certificate is trusted, whatever its name. For the self-signed one that ABS ships. Repeatable: before ABS's certificate is renewed, give the new one too."`
	FingerprintFile    string   `file:"" placeholder:"FILE" help:"File with such fingerprints, one a line; read again for each connection."`
	MinVersion         string   `placeholder:"VERSION" help:"Lowest version of TLS: TLS10, TLS11, TLS12 or TLS13. Default: TLS12, or TLS11 with a fingerprint."`
	InsecureSkipVerify bool     `help:"Trust any certificate, with a warning. Anyone on the network path can then read the keys."`
}

// Collect is what is requested, and when.
type Collect struct {
	Interval    time.Duration `default:"${interval}" help:"Time between the starts of cycles."`
	Slot        time.Duration `default:"${slot}" help:"Length of a slot: whole minutes that divide a day."`
	Reread      time.Duration `default:"${reread}" help:"How often ended slots and the window report are read again. A failed read is retried in the next cycle."`
	Settle      time.Duration `default:"${settle}" help:"How long after its end a slot is still read (an ABS job may take up to 2h)."`
	Window      time.Duration `default:"${window}" help:"Length of the sliding window of the gauges and of forensics, in whole minutes: longer than the delay of ABS, or no attack would ever be seen."`
	Lookback    time.Duration `default:"${lookback}" help:"A start without state counts from this long ago, to the minute. 0s: only what ABS adds after the start."`
	MaxBackfill time.Duration `default:"24h" help:"How far back missed slots are read after a pause."`
}

// Forensics is which forensics are requested, and how often.
type Forensics struct {
	Enabled       bool              `default:"true" negatable:"" help:"Request the forensics of the window's tokens from ABS: attacks and anomalies."`
	Rate          float64           `default:"${forensicsrate}" help:"Forensics requests per second at most, within --abs.rate; flagged tokens first."`
	AttackReports bool              `default:"true" negatable:"" help:"Read ABS's attack list and attack reports once per cycle: forensics of the tokens that they flag are requested first."`
	Severity      map[string]string `placeholder:"TYPE=SEVERITY" help:"Severity of an attack type (its name or id) instead of the one in docs/attack-types.md: critical, warning or info. Repeatable."`
}

// Audit is how often counts are audited.
type Audit struct {
	Interval time.Duration `default:"${audit}" help:"Settled spans are read again and compared with what was counted this often. 0s: never."`
}

// Admin is whether and how often ABS's own state is read.
type Admin struct {
	Enabled  bool          `default:"true" negatable:"" help:"Read ABS's admin report: its licence, APIs, nodes and time zone."`
	Interval time.Duration `default:"${admin}" help:"How often the admin report is read. A request for it may take 15s at most."`
}

// Series is how many series there are, and how tokens are named.
type Series struct {
	TokenKeyFile    string         `file:"" placeholder:"FILE" help:"Key of the token id: the file's bytes without a trailing line break, 16 at least. Default: generated once and kept in the state directory."`
	MaxTokens       int            `default:"1000" help:"Tokens with series of their own (tracked); the others share _other. 0: no families with the label token."`
	MaxValues       int            `default:"100" help:"Values of any other label with series of their own; the others share _other."`
	MaxValuesOf     map[string]int `placeholder:"LABEL=N" help:"Another limit for one label, such as api=200: method, api, device, ip or url. Repeatable."`
	AllowAPIs       string         `name:"allow-apis" placeholder:"REGEXP" help:"Only the APIs that this matches as a whole get series of requests; the others are counted under _other. Attacks are shown for all APIs. Default: all."`
	DenyAPIs        string         `name:"deny-apis" placeholder:"REGEXP" help:"The APIs that this matches as a whole are counted under _other, also where --series.allow-apis matches. Default: none."`
	DeviceFamilies  bool           `default:"true" negatable:"" help:"Count user agents by their family, such as Chrome or curl, instead of each by itself. ABS's own names, such as LINUX, stay as they are."`
	AllowDevices    string         `placeholder:"REGEXP" help:"Only the devices (their families) that this matches as a whole get series; the others are counted under _other. Default: all."`
	DenyDevices     string         `placeholder:"REGEXP" help:"The devices (their families) that this matches as a whole are counted under _other, also where --series.allow-devices matches. Default: none."`
	ExcludeFamilies []string       `placeholder:"REGEXP" help:"Metrics to leave out, by name: those that this matches as a whole. They are counted all the same. What alert rules need has a warning; the exporter's own health is always there. Repeatable."`
	Dimensions      []string       `default:"${dimensions}" help:"Which of method, api, device, ip and url get series per token. Empty: none. url: paths with their ids replaced, such as /shop/{id}; with series over all tokens, too."`
	Expire          time.Duration  `default:"2h" help:"The series of a token expire when it has made no new request for this long."`
}

// State is where state is kept.
type State struct {
	Dir string `file:"" default:"${statedir}" help:"Directory where counters, open slots and the token key survive a restart. Empty: in memory only."`
}

// Web is what the exporter serves, and where.
type Web struct {
	ListenAddress      []string `default:"${listen}" help:"Address to listen on; repeatable."`
	TelemetryPath      string   `default:"/metrics" help:"Path of the metrics."`
	EnableLifecycle    bool     `help:"Read the configuration again at POST /-/reload. Whoever reaches the listener may then do it."`
	OpenmetricsCreated bool     `help:"Write _created lines in OpenMetrics text. A Prometheus without the feature for them stores them as series."`
	MaxRequests        int      `default:"40" help:"Scrapes at the same time at most; others are answered with status 503. 0: no limit."`
	Config             struct {
		File string `file:"" placeholder:"FILE" help:"TLS and basic auth of the listeners, as in every Prometheus exporter (exporter-toolkit)."`
	} `embed:"" prefix:"config."`
	ProbeAddress  string `placeholder:"ADDR" help:"A separate listener without TLS and passwords, for /healthz and /readyz."`
	EnablePprof   bool   `help:"Serve Go's profiles at /debug/pprof/ on the probe listener, and there only."`
	SystemdSocket bool   `help:"Take the listeners from systemd's socket activation instead of --web.listen-address."`
}

// The paths that are served beside --web.telemetry-path.
const (
	HealthPath   = "/healthz"
	ReadyPath    = "/readyz"
	ReloadPath   = "/-/reload"
	RunbooksPath = "/runbooks/"
	ConfigPath   = "/config"
	StatusPath   = "/api/v1/status"
	PprofPath    = "/debug/pprof/"
	// As Prometheus itself has them.
	PrometheusHealthPath = "/-/healthy"
	PrometheusReadyPath  = "/-/ready"
)

// served are the paths that --web.telemetry-path cannot be.
func served() []string {
	return []string{
		"/", HealthPath, ReadyPath, PrometheusHealthPath, PrometheusReadyPath, ReloadPath, ConfigPath, StatusPath,
	}
}

// Log is the log of the process.
type Log struct {
	Level  string `default:"${loglevel}" enum:"debug,info,warn,error" help:"Lowest severity to log: debug, info, warn or error."`
	Format string `default:"logfmt" enum:"logfmt,json" help:"Format of the log: logfmt or json."`
	Events bool   `default:"true" negatable:"" help:"Log attacks and anomalies that begin or end: critical ones as an error, warnings and unknown ones as a warning, info and ends as info."`
}
