package main

import (
	"fmt"
	"log/slog"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/cmd/abs-exporter/config"
	"github.com/abs-exporter/abs-exporter/collector"
	"github.com/abs-exporter/abs-exporter/collector/calls"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// newTarget returns a target as the collector polls it.
func newTarget(
	t *config.Target, s *config.Settings, health *metrics.Health, clock collector.Clock, log *slog.Logger,
) (collector.Target, error) {
	observe, recent := calls.Observe(health, t.Name, clock.Now, log), &calls.Recent{}
	client, err := newClient(t, func(c *abs.Config) {
		c.Now = clock.Now
		c.Observe = func(call abs.Call) {
			observe(call)
			recent.Observe(call, clock.Now())
		}
	}, log)
	if err != nil {
		return collector.Target{}, fmt.Errorf("target %s: %w", t.Name, err)
	}
	polled := collector.Target{
		Name:        t.Name,
		URL:         t.URL,
		Labels:      metrics.NewOwnLabels(t.Labels),
		Options:     collectorOptions(t, s),
		ABS:         client,
		Location:    t.Location,
		Inclusive:   t.Inclusive(),
		Forensics:   !t.Restricted(),
		ResponseCap: int64(t.ResponseCap),
		Timeout:     t.RequestLimit(),
		Calls:       recent,
		Close:       client.Close,
	}
	if t.Restricted() {
		log.Info("polling as the restricted user", "target", t.Name, "consequence", "ABS obfuscates tokens and refuses forensics")
	}
	if t.Forensics.AttackReports {
		polled.AttackReports = client
	}
	if s.Admin.Enabled {
		polled.Admin = client
	}
	return polled, nil
}

func collectorOptions(t *config.Target, s *config.Settings) collector.Options {
	return collector.Options{
		Times: collector.Times(t.Collect),
		Series: collector.Series{
			MaxTokens:  t.Series.MaxTokens,
			MaxValues:  t.Series.MaxValues,
			Choices:    t.Choices,
			Dimensions: t.TokenDimensions,
			Excluded:   t.Excluded,
			Expire:     t.Series.Expire,
		},
		Forensics:     t.Forensics.Enabled,
		ForensicsRate: t.Forensics.Rate,
		Catalogue:     t.Catalogue,
		Audit:         s.Audit.Interval,
		AdminInterval: s.Admin.Interval,
		LogEvents:     s.Log.Events,
		StateDir:      s.State.Dir,
	}
}
