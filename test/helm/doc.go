// Package helm has the tests of the chart helm/abs-exporter: Helm's own engine renders it, the
// types of Kubernetes and of the Prometheus Operator decode what it makes, and what it deploys is
// run. It is a module of its own, because Helm's dependencies are many.
package helm
