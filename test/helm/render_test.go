package helm

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
)

// grafanaDashboard is as much of the Grafana Operator's type as the chart uses.
type grafanaDashboard struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       struct {
		Folder                    string         `json:"folder"`
		AllowCrossNamespaceImport bool           `json:"allowCrossNamespaceImport"`
		InstanceSelector          map[string]any `json:"instanceSelector"`
		JSON                      string         `json:"json"`
	} `json:"spec"`
}

// validate decodes an object strictly by the type that its apiVersion and kind name.
func validate(t *testing.T, o *object) {
	t.Helper()
	types := map[string]func(){
		"v1 ConfigMap":      func() { into[corev1.ConfigMap](t, o) },
		"v1 Service":        func() { into[corev1.Service](t, o) },
		"v1 ServiceAccount": func() { into[corev1.ServiceAccount](t, o) },

		"apps/v1 StatefulSet":                               func() { into[appsv1.StatefulSet](t, o) },
		"policy/v1 PodDisruptionBudget":                     func() { into[policyv1.PodDisruptionBudget](t, o) },
		"networking.k8s.io/v1 NetworkPolicy":                func() { into[networkingv1.NetworkPolicy](t, o) },
		"monitoring.coreos.com/v1 ServiceMonitor":           func() { into[monitoringv1.ServiceMonitor](t, o) },
		"monitoring.coreos.com/v1 PodMonitor":               func() { into[monitoringv1.PodMonitor](t, o) },
		"monitoring.coreos.com/v1 PrometheusRule":           func() { into[monitoringv1.PrometheusRule](t, o) },
		"monitoring.coreos.com/v1alpha1 AlertmanagerConfig": func() { into[v1alpha1.AlertmanagerConfig](t, o) },
		"grafana.integreatly.org/v1beta1 GrafanaDashboard":  func() { into[grafanaDashboard](t, o) },
	}
	check, ok := types[o.APIVersion+" "+o.Kind]
	if !ok {
		t.Fatalf("%s %s is of no known type", o.APIVersion, o.Kind)
	}
	check()
	const maxName, maxObject = 63, 1 << 20
	if !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`).MatchString(o.Metadata.Name) || len(o.Metadata.Name) > maxName {
		t.Errorf("%s: the name is refused", o)
	}
	if len(o.text) > maxObject {
		t.Errorf("%s has %d bytes", o, len(o.text))
	}
	for key, v := range o.Metadata.Labels {
		if !regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$`).MatchString(v) {
			t.Errorf("%s: the label %s=%s is refused", o, key, v)
		}
	}
}

// Every file of values renders, lints, and gives objects of the types that it names, each with a
// name of its own. The main parts of it are as expected.
func TestGolden(t *testing.T) {
	for _, name := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			values := valuesFile(t, name)
			r := render(t, values)
			seen := map[string]bool{}
			var b bytes.Buffer
			for i := range r.objects {
				o := &r.objects[i]
				validate(t, o)
				if key := o.Kind + "/" + o.Metadata.Namespace + "/" + o.Metadata.Name; seen[key] {
					t.Errorf("there are two %s", key)
				} else {
					seen[key] = true
				}
				fmt.Fprintf(&b, "---\n%s\n", shortened(o))
			}
			fmt.Fprintf(&b, "--- NOTES\n%s", r.notes)
			golden(t, filepath.Join("testdata", "golden", name+".yaml"), b.Bytes())
			linted := lint.RunAll(chartDir, merged(t, values), "monitoring")
			for _, m := range linted.Messages {
				if m.Severity > support.InfoSev {
					t.Errorf("helm lint: %s", m)
				}
			}
		})
	}
}

// shortened leaves out what is compared with the repository's files elsewhere: JSON of dashboards,
// and rules other than the settings.
func shortened(o *object) string {
	text := strings.TrimSpace(string(o.text))
	text = regexp.MustCompile(`(?m)^(  (?:json|[a-z-]+\.json): ").*$`).ReplaceAllString(text, `$1…"`)
	if o.Kind == "PrometheusRule" && !strings.HasSuffix(o.Metadata.Name, "-thresholds") {
		head, _, _ := strings.Cut(text, "\nspec:\n")
		return head + "\nspec: …"
	}
	return text
}

// switches are the values that turn one part on or off, or into another shape. The matrix renders
// the smallest and the fullest values with each.
var switches = []string{
	`image: {tag: 1.2.3}`,
	`fullnameOverride: abs-exporter-with-a-name-of-more-characters-than-are-kept`,
	`nameOverride: own-abs-exporter`,
	`persistence: {enabled: false}`,
	`persistence: {storageClass: "-", accessModes: [ReadWriteOncePod], whenDeleted: Delete, whenScaled: Delete}`,
	`configChange: reload`,
	`configChange: restart`,
	`tokenKey: {existingSecret: {name: key, key: k}}`,
	`web: {tls: false}`,
	`web: {config: {existingSecret: {name: web}}, tls: true}`,
	`serviceAccount: {create: false}`,
	`serviceAccount: {create: false, name: mine}`,
	`serviceAccount: {name: mine, annotations: {a: b}}`,
	`podDisruptionBudget: {enabled: true, maxUnavailable: 50%}`,
	`podDisruptionBudget: {enabled: false}`,
	`networkPolicy: {enabled: true}`,
	`networkPolicy: {enabled: false}`,
	`serviceMonitor: {enabled: false}`,
	`{serviceMonitor: {enabled: false}, podMonitor: {enabled: true, labels: {a: b}, interval: 1m, basicAuth: {username: {name: a, key: b}}}}`,
	`serviceMonitor: {enabled: true, namespace: other}`,
	`prometheusRule: {enabled: true, namespace: other}`,
	`prometheusRule: {enabled: false}`,
	`dashboards: {enabled: true, namespace: grafana, sidecarLabel: x, sidecarLabelValue: "y"}`,
	`dashboards: {enabled: false}`,
	`grafanaDashboard: {enabled: true, allowCrossNamespaceImport: true}`,
	`grafanaDashboard: {enabled: false}`,
	`alertmanagerConfig: {enabled: false}`,
	`alertmanagerConfig: {enabled: true, page: {emailConfigs: [{to: a@example.com}]}, ticket: {emailConfigs: [{to: b@example.com}]}}`,
	insecurePods,
	`{commonLabels: null, podLabels: null, podAnnotations: {a: b}}`,
	`targets: []`,
}

// insecurePods is what a namespace with the restricted Pod Security Standard refuses.
const insecurePods = `{podSecurityContext: null, securityContext: null, resources: null}`

// forEachSwitch calls a function with the smallest and the fullest values and each switch.
func forEachSwitch(t *testing.T, check func(t *testing.T, values ...string)) {
	t.Helper()
	for _, base := range []string{"minimal", "full"} {
		for _, s := range switches {
			if base == "full" && s == "targets: []" {
				continue // refused: it has three shards
			}
			t.Run(base+" with "+s, func(t *testing.T) { check(t, valuesFile(t, base), s) })
		}
	}
}

func TestEverySwitch(t *testing.T) {
	forEachSwitch(t, func(t *testing.T, values ...string) {
		t.Helper()
		r := render(t, values...)
		for i := range r.objects {
			validate(t, &r.objects[i])
		}
	})
}
