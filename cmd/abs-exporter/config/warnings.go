package config

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/abs-exporter/abs-exporter/alerts"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/cmdline"
)

// Warning is about a setting that works, and is probably not what was meant.
type Warning struct {
	Setting     string // as the user wrote it
	Detail      string
	Consequence string
}

// warn warns of a setting of an entry of the list targets, or of any with noTarget.
func (v *validation) warn(target int, name, detail, consequence string) {
	w := Warning{v.origins.of(target, name), detail, consequence}
	if !slices.Contains(v.warnings, w) {
		v.warnings = append(v.warnings, w)
	}
}

// doubtful looks for valid settings that are probably a mistake.
func (s *Settings) doubtful(v *validation) {
	const month = 30 * 24 * time.Hour
	for i, t := range s.Targets {
		if v.origins.file.Targets == nil {
			i = noTarget
		}
		if t.Collect.Settle < time.Hour {
			v.warn(i, "collect.settle", "is below an hour: "+t.Collect.Settle.String(),
				"an ABS job may take up to 2h, and requests that ABS reports after this time are counted by the audit only, under _other")
		}
		if t.Collect.Window > month {
			v.warn(i, "collect.window", "is above 30 days: "+t.Collect.Window.String(),
				"ABS may not hold reports for so long, and the window report may be too large to be read")
		}
		if t.Forensics.Enabled && t.Forensics.Rate > t.Rate {
			v.warn(i, "forensics.rate", fmt.Sprintf("is above the rate of target %s, --abs.rate: %g above %g", t.Name, t.Forensics.Rate, t.Rate),
				"the lower one holds, and forensics delays the reports that are counted")
		}
		v.excludesNeeded(i, &t)
	}
	s.doubtfulTargets(v)
	s.readableKeys(v)
}

// excludesNeeded warns of families that are left out although alerts need them.
func (v *validation) excludesNeeded(target int, t *Target) {
	if len(t.Excluded) == 0 {
		return
	}
	var families []string
	for _, f := range t.Excluded {
		families = append(families, f.Name)
	}
	needing := alerts.Needing(families)
	for _, family := range families {
		if names := needing[family]; len(names) > 0 {
			v.warn(target, "series.exclude-families", "leaves out "+family+", which alert rules need: "+strings.Join(names, ", "),
				"these alerts cannot fire, or lack what they say, for this target")
		}
	}
}

// doubtfulTargets finds targets that are one ABS.
func (s *Settings) doubtfulTargets(v *validation) {
	byURL := map[string]string{}
	for _, t := range s.Targets {
		u, err := url.Parse(t.URL)
		if err != nil {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		key := strings.ToLower(u.Hostname()) + ":" + port + strings.TrimSuffix(u.Path, "/")
		if first, twice := byURL[key]; twice {
			v.warnings = append(v.warnings, Warning{
				"targets", fmt.Sprintf("%s and %s have one URL", first, t.Name),
				"a sum over targets counts each request twice, and ABS is asked twice as often",
			})
			continue
		}
		byURL[key] = t.Name
	}
}

// readableKeys finds files with secrets that every user of the machine may read.
func (s *Settings) readableKeys(v *validation) {
	const readable = "whoever has an account on this machine has the secret; chmod o-r it"
	files := map[string]string{
		"series.token-key-file": s.Series.TokenKeyFile, "otlp.headers-file": s.OTLP.HeadersFile, "otlp.key-file": s.OTLP.KeyFile,
	}
	for _, t := range s.Targets {
		files["abs.access-key-file"], files["abs.secret-key-file"], files["abs.tls.key-file"] = t.AccessKeyFile, t.SecretKeyFile, t.TLS.KeyFile
		files["abs.proxy-password-file"], files["abs.basic-auth.password-file"] = t.ProxyPasswordFile, t.BasicAuth.PasswordFile
		files["abs.bearer-token-file"] = t.BearerTokenFile
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if file := files[name]; file != "" && othersMayRead(file) {
				v.warn(noTarget, name, "other users may read "+file, readable)
			}
		}
		for _, header := range slices.Sorted(maps.Keys(t.HeaderFile)) {
			if file := t.HeaderFile[header]; othersMayRead(file) {
				v.warn(noTarget, "abs.header-file", "other users may read "+file, readable)
			}
		}
		clear(files)
	}
}

func othersMayRead(file string) bool {
	info, err := os.Stat(file)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

// ofKubernetes matches the variables that Kubernetes sets for a Service named abs-exporter.
var ofKubernetes = regexp.MustCompile(`^` + envPrefix + `_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// unknownVariables finds variables with this program's prefix that set nothing in any command.
func unknownVariables(app *kong.Application, v *validation) {
	known := map[string]bool{envAccessKey: true, envSecretKey: true}
	for _, command := range app.Leaves(false) {
		for _, flag := range command.Flags {
			for _, env := range flag.Tag.Envs {
				known[env] = true
			}
		}
	}
	var unknown []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, envPrefix+"_") && !known[name] && !strings.HasPrefix(name, envPrefix+"_TEST_") && !ofKubernetes.MatchString(name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		v.warnings = append(v.warnings, Warning{name, "there is no such setting" + cmdline.Suggestion(name, slices.Collect(maps.Keys(known))), "the variable is ignored"})
	}
}
