package helm

import (
	"strings"
	"testing"
)

// Wrong values are refused with what is wrong and where.
func TestRefused(t *testing.T) {
	const target = "{name: a, url: 'https://a', existingSecret: {name: s}}"
	for values, want := range map[string]string{
		"replicas: 2": "replicas: 2: two exporters of one ABS would double its load and report every request twice. Use shards",
		"shards: 2":   "shards: 2: tokenKey.existingSecret.name is missing",
		"{shards: 3, tokenKey: {existingSecret: {name: k}}, targets: [" + target + "]}": "shards: 3: there are only 1 targets",
		"web: {probePort: 10464}": "web.probePort: 10464 is web.port too",
		"web: {tls: true}":        "web.tls: web.config.existingSecret.name is missing",
		"{serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}":                                                         "each pod would be scraped twice",
		"targets: [" + target + ", " + target + "]":                                                                              `targets[1].name: "a" is the name of targets[0] too`,
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, settings: {url: x}}]":                                  "targets[0].settings: url is set by the chart",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, tls: {existingSecret: t, certKey: c}}]":                "targets[0].tls: certKey and keyKey belong together",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, tls: {caKey: c}}]":                                     "targets[0].tls.existingConfigMap is missing",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, tls: {existingConfigMap: c}}]":                         "targets[0].tls.caKey is missing",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, tls: {certKey: c, keyKey: k}}]":                        "targets[0].tls.existingSecret is missing",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, secretFiles: {basicAuthPassword: {name: g, key: p}}}]": "targets[0].settings: basic-auth.user is missing",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, secretFiles: {proxyPassword: {name: g, key: p}}}]":     "targets[0].settings: proxy-url is missing",
		"web: {settings: {telemetry-path: /x}}":                                                                                  "web.settings.telemetry-path: is set by the chart: use the value web.telemetryPath",
		"config: {web: {telemetry-path: /x}}":                                                                                    "config.web: is set by the chart",
		"{fullnameOverride: other, serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}}":                            `"abs|.*abs-exporter.*" does not match the job of this release, "other"`,
		"prometheusRule: {enabled: true, leaveOut: [ABSUnreachabel]}":                                                            `there is no alert "ABSUnreachabel"; there are ABS`,
		"alertmanagerConfig: {enabled: true}":                                                                                    "alertmanagerConfig.page is missing",

		// The schema.
		"replica: 1":                             "additional properties 'replica' not allowed",
		"shards: 0":                              "at '/shards': minimum: got 0, want 1",
		"shards: two":                            "at '/shards': got string, want integer",
		"image: {digest: latest}":                "at '/image/digest': 'latest' does not match pattern",
		"targets: [{name: a, url: 'https://a'}]": "at '/targets/0': missing property 'existingSecret'",
		"targets: [{name: a, url: 'ftp://a', existingSecret: {name: s}}]":                                       "at '/targets/0/url': 'ftp://a' does not match pattern",
		"targets: [{name: a, url: 'https://u:p@a', existingSecret: {name: s}}]":                                 "at '/targets/0/url'",
		"targets: [{name: a/b, url: 'https://a', existingSecret: {name: s}}]":                                   "at '/targets/0/name'",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: ''}}]":                                    "at '/targets/0/existingSecret/name'",
		"targets: [{name: a, url: 'https://a', accessKey: x, existingSecret: {name: s}}]":                       "at '/targets/0': additional properties 'accessKey' not allowed",
		"targets: [{name: a, url: 'https://a', existingSecret: {name: s}, secretFiles: {headers: {X-Key: k}}}]": "at '/targets/0/secretFiles/headers/X-Key': got string, want object",
		"prometheusRule: {thresholds: {unreachable: 5}}":                                                        "at '/prometheusRule/thresholds': additional properties 'unreachable' not allowed",
		"prometheusRule: {thresholds: {unreachable_seconds: 10m}}":                                              "at '/prometheusRule/thresholds/unreachable_seconds': got string, want number",
		"configChange: never":            "at '/configChange': value must be one of",
		"web: {port: 80}":                "at '/web/port': minimum",
		"serviceMonitor: {interval: 30}": "at '/serviceMonitor/interval': got number, want string",
	} {
		_, err := tryRender(t, values)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant …%s…", values, err, want)
		}
	}
}
