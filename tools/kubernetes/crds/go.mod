module github.com/abs-exporter/abs-exporter/tools/kubernetes/crds

go 1.26.7

// Only their CRDs are used, which are files and no packages.
require (
	github.com/grafana/grafana-operator/v5 v5.18.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
