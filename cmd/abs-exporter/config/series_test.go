package config

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger/counts"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// Each target chooses its own series. Expressions match whole values, as those of Prometheus do.
func TestSeriesOfTargets(t *testing.T) {
	cleanEnv(t)
	dir := keyFiles(t)
	config := filepath.Join(dir, "config.yml")
	write(t, config, `
abs: {access-key-file: access, secret-key-file: secret}
series:
  max-values-of: {api: 7}
  deny-apis: hr|internal-.*
targets:
- {name: one, url: "https://one"}
- name: two
  url: "https://two"
  series: {device-families: false, dimensions: [url], max-values-of: {device: 3}, allow-apis: shop, deny-apis: "", exclude-families: ["abs_token_(api|method)_requests_total", abs_window_ips]}
`)
	command, err := Parse([]string{"serve", "--config=" + config}, time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	targets := command.(*Serve).Targets
	one, two := targets[0].Choices, targets[1].Choices
	if one[counts.API].Limit != 7 || two[counts.API].Limit != 0 || two[counts.Device].Limit != 3 {
		t.Errorf("the limits are %+v and %+v", one, two)
	}
	const agent = "curl/8.5.0"
	ofOne, _ := one[counts.Device].Of(agent)
	ofTwo, _ := two[counts.Device].Of(agent)
	if ofOne != "curl" || ofTwo != agent {
		t.Errorf("%s is counted as %s and %s", agent, ofOne, ofTwo)
	}
	if read := targets[1].ClientConfig().URLs; targets[0].ClientConfig().URLs != nil || read == nil || string(read(nil, []byte("/shop/1"), nil)) != "/shop/{id}" {
		t.Error("URLs are read where they are not wanted, or by another name than their template")
	}
	for _, test := range []struct {
		api      string
		one, two bool
	}{
		{"shop", true, true},
		{"shopping", true, false},
		{"hr", false, false},
		{"hr2", true, false},
		{"internal-x", false, false},
		{"an-internal-x", true, false},
		{"internal-\n", false, false},
	} {
		_, ofOne := one[counts.API].Of(test.api)
		_, ofTwo := two[counts.API].Of(test.api)
		if ofOne != test.one || ofTwo != test.two {
			t.Errorf("%q: %v and %v, want %v and %v", test.api, ofOne, ofTwo, test.one, test.two)
		}
	}
	left := map[*metrics.Family]bool{}
	for _, f := range targets[1].Excluded {
		left[f] = true
	}
	if len(left) != 3 || !left[metrics.TokenAPIRequests] || !left[metrics.TokenMethodRequests] || !left[metrics.WindowIPs] || len(targets[0].Excluded) > 0 {
		t.Errorf("left out are %v", left)
	}
}
