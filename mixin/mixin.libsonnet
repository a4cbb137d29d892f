// The dashboards and alert rules of abs-exporter as a jsonnet library. Written by
// `abs-exporter assets --format=mixin`; in the repository, by `make docs`.
//
//   local abs = (import 'mixin/mixin.libsonnet') + { _config+:: { grafanaUrl: 'https://grafana.internal' } };
//   abs.grafanaDashboards, abs.prometheusAlerts, abs.prometheusRules
{
  _config+:: {
    // Address of your Grafana, without a slash at the end.
    grafanaUrl: 'https://grafana.example.com',
    // Where the runbooks are, likewise.
    runbookUrl: 'https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks',
    // Which scrape jobs are exporters: RE2, which matches the whole name.
    jobPattern: 'abs|.*abs-exporter.*',
  },

  local apply(text) = std.foldl(
    function(text, change) std.strReplace(text, change[0], change[1]),
    [
      ['https://grafana.example.com', $._config.grafanaUrl],
      ['https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks', $._config.runbookUrl],
      ['"abs|.*abs-exporter.*"', std.escapeStringJson($._config.jobPattern)],
    ],
    text
  ),
  local groups = std.flattenArrays([
    std.parseYaml(apply(text)).groups
    for text in [
      importstr '../alerts/attacks.rules.yml',
      importstr '../alerts/health.rules.yml',
      importstr '../alerts/state.rules.yml',
      importstr '../alerts/thresholds-check.rules.yml',
      importstr '../alerts/thresholds.rules.yml',
      importstr '../alerts/traffic.rules.yml',
    ]
  ]),
  local alerting(group) = std.length([rule for rule in group.rules if 'alert' in rule]) > 0,

  grafanaDashboardFolder:: 'ABS',
  grafanaDashboards+:: {
    'abs-exporter-api.json': std.parseJson(apply(importstr '../dashboards/abs-exporter-api.json')),
    'abs-exporter-events.json': std.parseJson(apply(importstr '../dashboards/abs-exporter-events.json')),
    'abs-exporter-health.json': std.parseJson(apply(importstr '../dashboards/abs-exporter-health.json')),
    'abs-exporter-overview.json': std.parseJson(apply(importstr '../dashboards/abs-exporter-overview.json')),
    'abs-exporter-token.json': std.parseJson(apply(importstr '../dashboards/abs-exporter-token.json')),
  },

  // Groups with alerts, and with what only these alerts need.
  prometheusAlerts+:: { groups+: [group for group in groups if alerting(group)] },
  // Groups that only record: the settings, which the alerts need too.
  prometheusRules+:: { groups+: [group for group in groups if !alerting(group)] },
}
