{{/* Name of the objects. */}}
{{- define "abs-exporter.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are selected. They never change, as selectors cannot. */}}
{{- define "abs-exporter.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/*
Metadata of an object. Takes the root, and name, namespace, labels and annotations, which win over the common ones.
*/}}
{{- define "abs-exporter.metadata" -}}
{{- $root := .root -}}
{{- $labels := merge (dict) (default (dict) .labels) (default (dict) $root.Values.commonLabels) (include "abs-exporter.selector" $root | fromYaml) (dict
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")) -}}
{{- $annotations := merge (dict) (default (dict) .annotations) (default (dict) $root.Values.commonAnnotations) -}}
name: {{ default (include "abs-exporter.fullname" $root) .name }}
namespace: {{ default $root.Release.Namespace .namespace }}
labels:
  {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "abs-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "abs-exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "abs-exporter.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The exporter's configuration file. */}}
{{- define "abs-exporter.config" -}}
{{- $web := dict
  "listen-address" (list (printf ":%d" (int .Values.web.port)))
  "probe-address" (printf ":%d" (int .Values.web.probePort))
  "telemetry-path" .Values.web.telemetryPath -}}
{{- if .Values.web.config.existingSecret.name -}}
{{- $_ := set $web "config" (dict "file" (printf "/etc/abs-exporter/web/%s" .Values.web.config.existingSecret.key)) -}}
{{- end -}}
{{- $own := dict "state" (dict "dir" (ternary "/data" "" .Values.persistence.enabled)) "web" (mustMergeOverwrite (deepCopy .Values.web.settings) $web) -}}
{{- if .Values.otlp.headers.existingSecret.name -}}
{{- $_ := set $own "otlp" (dict "headers-file" "/etc/abs-exporter/secrets/otlp-headers") -}}
{{- end -}}
{{- if .Values.tokenKey.existingSecret.name -}}
{{- $_ := set $own "series" (dict "token-key-file" "/etc/abs-exporter/secrets/token-key") -}}
{{- end -}}
{{- $targets := list -}}
{{- range .Values.targets -}}
{{- $files := printf "/etc/abs-exporter/secrets/targets/%s" .name -}}
{{- $target := dict "name" .name "url" .url "access-key-file" (printf "%s/access-key" $files) "secret-key-file" (printf "%s/secret-key" $files) -}}
{{- with .tls -}}
{{- $tls := dict -}}
{{- if .caKey -}}{{- $_ := set $tls "ca-file" (printf "%s/ca.crt" $files) -}}{{- end -}}
{{- if .certKey -}}{{- $_ := set $tls "cert-file" (printf "%s/tls.crt" $files) -}}{{- end -}}
{{- if .keyKey -}}{{- $_ := set $tls "key-file" (printf "%s/tls.key" $files) -}}{{- end -}}
{{- $_ := set $target "tls" $tls -}}
{{- end -}}
{{- with .secretFiles -}}
{{- if .bearerToken -}}{{- $_ := set $target "bearer-token-file" (printf "%s/bearer-token" $files) -}}{{- end -}}
{{- if .basicAuthPassword -}}{{- $_ := set $target "basic-auth" (dict "password-file" (printf "%s/basic-auth-password" $files)) -}}{{- end -}}
{{- if .proxyPassword -}}{{- $_ := set $target "proxy-password-file" (printf "%s/proxy-password" $files) -}}{{- end -}}
{{- if .fingerprints -}}{{- $_ := set $target "tls" (merge (dict "fingerprint-file" (printf "%s/fingerprints" $files)) (default (dict) $target.tls)) -}}{{- end -}}
{{- $headers := dict -}}
{{- range $name, $_ := .headers -}}{{- $_ := set $headers $name (printf "%s/headers/%s" $files $name) -}}{{- end -}}
{{- if $headers -}}{{- $_ := set $target "header-file" $headers -}}{{- end -}}
{{- end -}}
{{- $targets = append $targets (mustMergeOverwrite (deepCopy (default (dict) .settings)) $target) -}}
{{- end -}}
{{- $_ := set $own "targets" $targets -}}
{{- mustMergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}

{{/* Sources of the volume with the secrets: one volume, so that all are replaced together. */}}
{{- define "abs-exporter.secrets" -}}
{{- with .Values.tokenKey.existingSecret }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items:
      - key: {{ .key }}
        path: token-key
{{- end }}
{{- end }}
{{- with .Values.otlp.headers.existingSecret }}
{{- if .name }}
- secret:
    name: {{ .name }}
    items:
      - key: {{ .key }}
        path: otlp-headers
{{- end }}
{{- end }}
{{- range $target := .Values.targets }}
- secret:
    name: {{ .existingSecret.name }}
    items:
      - key: {{ default "access-key" .existingSecret.accessKey }}
        path: targets/{{ .name }}/access-key
      - key: {{ default "secret-key" .existingSecret.secretKey }}
        path: targets/{{ .name }}/secret-key
{{- with .tls }}
{{- if and .caKey .existingConfigMap }}
- configMap:
    name: {{ .existingConfigMap }}
    items:
      - key: {{ .caKey }}
        path: targets/{{ $target.name }}/ca.crt
{{- end }}
{{- if .existingSecret }}
- secret:
    name: {{ .existingSecret }}
    items:
      {{- if and .caKey (not .existingConfigMap) }}
      - key: {{ .caKey }}
        path: targets/{{ $target.name }}/ca.crt
      {{- end }}
      {{- if .certKey }}
      - key: {{ .certKey }}
        path: targets/{{ $target.name }}/tls.crt
      - key: {{ .keyKey }}
        path: targets/{{ $target.name }}/tls.key
      {{- end }}
{{- end }}
{{- end }}
{{- with .secretFiles }}
{{- $paths := dict "bearer-token" .bearerToken "basic-auth-password" .basicAuthPassword "proxy-password" .proxyPassword "fingerprints" .fingerprints }}
{{- range $name, $from := .headers }}
{{- $_ := set $paths (printf "headers/%s" $name) $from }}
{{- end }}
{{- range $path, $from := $paths }}
{{- if $from }}
- secret:
    name: {{ $from.name }}
    items:
      - key: {{ $from.key }}
        path: targets/{{ $target.name }}/{{ $path }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Ports of the targets' URLs, and of their proxies, each once. */}}
{{- define "abs-exporter.absPorts" -}}
{{- $ports := dict -}}
{{- $shared := get (default (dict) .Values.config.abs) "proxy-url" -}}
{{- range .Values.targets -}}
{{- range compact (list .url (get (default (dict) .settings) "proxy-url" | default $shared)) -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (get (dict "http" "80" "https" "443") $url.scheme | default "1080") -}}
{{- $_ := set $ports $port true -}}
{{- end -}}
{{- end -}}
{{- keys $ports | sortAlpha | toJson -}}
{{- end -}}

{{/* The endpoint of a ServiceMonitor or PodMonitor. Takes root and monitor. */}}
{{- define "abs-exporter.endpoint" -}}
{{- $m := .monitor -}}
- port: http
  path: {{ .root.Values.web.telemetryPath }}
  scheme: {{ ternary "https" "http" .root.Values.web.tls }}
  {{- with $m.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with $m.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
  {{- with $m.tlsConfig }}
  tlsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $m.basicAuth }}
  basicAuth:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  relabelings:
    # The address of a pod changes with a restart, and the counters go on.
    - sourceLabels: [__meta_kubernetes_pod_name]
      targetLabel: instance
    {{- with $m.relabelings }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $m.metricRelabelings }}
  metricRelabelings:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The file of a dashboard with the addresses of this release. Takes root and path. */}}
{{- define "abs-exporter.dashboard" -}}
{{- $rule := .root.Values.prometheusRule -}}
{{- .root.Files.Get .path
  | replace "https://github.com/abs-exporter/abs-exporter/blob/main/docs/runbooks" (trimSuffix "/" $rule.runbookURL)
  | replace "https://grafana.example.com" (trimSuffix "/" $rule.grafanaURL) -}}
{{- end -}}

{{/* Matchers of an AlertmanagerConfig for those of a configuration of Alertmanager. */}}
{{- define "abs-exporter.matchers" -}}
{{- range . }}
- name: {{ regexReplaceAll "^([a-z_]+)(=~|=)\"(.*)\"$" . "${1}" }}
  matchType: {{ regexReplaceAll "^([a-z_]+)(=~|=)\"(.*)\"$" . "${2}" | quote }}
  value: {{ regexReplaceAll "^([a-z_]+)(=~|=)\"(.*)\"$" . "${3}" | quote }}
{{- end }}
{{- end -}}

{{/*
A route of an AlertmanagerConfig for one of a configuration of Alertmanager. Takes route, and receivers: the names here
by those there. Routes to a receiver that is not here are left out.
*/}}
{{- define "abs-exporter.route" -}}
{{- $route := dict -}}
{{- range $from, $to := dict "group_by" "groupBy" "group_wait" "groupWait" "group_interval" "groupInterval" "repeat_interval" "repeatInterval" "continue" "continue" -}}
{{- if hasKey $.route $from -}}
{{- $_ := set $route $to (get $.route $from) -}}
{{- end -}}
{{- end -}}
{{- with .route.receiver -}}
{{- $_ := set $route "receiver" (get $.receivers .) -}}
{{- end -}}
{{- with .route.matchers -}}
{{- $_ := set $route "matchers" (include "abs-exporter.matchers" . | fromYamlArray) -}}
{{- end -}}
{{- $routes := list -}}
{{- range .route.routes -}}
{{- if or (not .receiver) (get $.receivers (default "" .receiver)) -}}
{{- $routes = append $routes (include "abs-exporter.route" (dict "route" . "receivers" $.receivers) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- if $routes -}}
{{- $_ := set $route "routes" $routes -}}
{{- end -}}
{{- toYaml $route -}}
{{- end -}}

{{/* What the schema cannot refuse. */}}
{{- define "abs-exporter.validate" -}}
{{- if ne (int .Values.replicas) 1 -}}
{{- fail (printf "replicas: %d: two exporters of one ABS would double its load and report every request twice. Use shards to spread targets over pods" (int .Values.replicas)) -}}
{{- end -}}
{{- if and (gt (int .Values.shards) 1) (not .Values.tokenKey.existingSecret.name) -}}
{{- fail (printf "shards: %d: tokenKey.existingSecret.name is missing: each shard would generate a token key of its own, and the state of a target that moves to another shard could not be used" (int .Values.shards)) -}}
{{- end -}}
{{- if and (gt (int .Values.shards) 1) (gt (int .Values.shards) (len .Values.targets)) -}}
{{- fail (printf "shards: %d: there are only %d targets, and a shard without a target polls nothing" (int .Values.shards) (len .Values.targets)) -}}
{{- end -}}
{{- if eq (int .Values.web.port) (int .Values.web.probePort) -}}
{{- fail (printf "web.probePort: %d is web.port too: probes have a listener of their own, without authentication" (int .Values.web.port)) -}}
{{- end -}}
{{- if and .Values.web.tls (not .Values.web.config.existingSecret.name) -}}
{{- fail "web.tls: web.config.existingSecret.name is missing: without a certificate the exporter serves plain HTTP" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "podMonitor.enabled: serviceMonitor.enabled is true as well: each pod would be scraped twice" -}}
{{- end -}}
{{- $names := dict -}}
{{- range $i, $target := .Values.targets -}}
{{- if hasKey $names $target.name -}}
{{- fail (printf "targets[%d].name: %q is the name of targets[%d] too" $i $target.name (get $names $target.name | int)) -}}
{{- end -}}
{{- $_ := set $names $target.name $i -}}
{{- range $key := list "name" "url" "access-key-file" "secret-key-file" -}}
{{- if hasKey (default (dict) $target.settings) $key -}}
{{- fail (printf "targets[%d].settings: %s is set by the chart" $i $key) -}}
{{- end -}}
{{- end -}}
{{- with $target.secretFiles -}}
{{- $settings := default (dict) $target.settings -}}
{{- if and .basicAuthPassword (not (get (default (dict) (get $settings "basic-auth")) "user")) -}}
{{- fail (printf "targets[%d].settings: basic-auth.user is missing: secretFiles.basicAuthPassword is its password" $i) -}}
{{- end -}}
{{- if and .proxyPassword (not (get $settings "proxy-url")) -}}
{{- fail (printf "targets[%d].settings: proxy-url is missing: secretFiles.proxyPassword is the password of its user" $i) -}}
{{- end -}}
{{- end -}}
{{- with $target.tls -}}
{{- if ne (empty .certKey) (empty .keyKey) -}}
{{- fail (printf "targets[%d].tls: certKey and keyKey belong together" $i) -}}
{{- end -}}
{{- if and .certKey (not .existingSecret) -}}
{{- fail (printf "targets[%d].tls.existingSecret is missing: certKey is a key of it" $i) -}}
{{- end -}}
{{- if and .caKey (not .existingSecret) (not .existingConfigMap) -}}
{{- fail (printf "targets[%d].tls.existingConfigMap is missing, and so is existingSecret: caKey is a key of one of them" $i) -}}
{{- end -}}
{{- if and (or .existingSecret .existingConfigMap) (not .caKey) (not .certKey) -}}
{{- fail (printf "targets[%d].tls.caKey is missing, and so is certKey: nothing of the Secret or ConfigMap would be used" $i) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key := list "targets" "web" -}}
{{- if hasKey $.Values.config $key -}}
{{- fail (printf "config.%s: is set by the chart: use the value %s" $key $key) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := dict "listen-address" "web.port" "probe-address" "web.probePort" "telemetry-path" "web.telemetryPath" "config" "web.config" -}}
{{- if hasKey $.Values.web.settings $key -}}
{{- fail (printf "web.settings.%s: is set by the chart: use the value %s" $key $value) -}}
{{- end -}}
{{- end -}}
{{- $job := include "abs-exporter.fullname" . -}}
{{- if .Values.podMonitor.enabled -}}
{{- $job = printf "%s/%s" (default .Release.Namespace .Values.podMonitor.namespace) $job -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) (not (regexMatch (printf "^(?:%s)$" .Values.prometheusRule.jobPattern) $job)) -}}
{{- fail (printf "prometheusRule.jobPattern: %q does not match the job of this release, %q: the alerts on an exporter that is down could not fire" .Values.prometheusRule.jobPattern $job) -}}
{{- end -}}
{{- end -}}
