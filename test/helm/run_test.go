package helm

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// patience is how long a test waits for what happens within seconds.
const patience = 60 * time.Second

var client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// cluster is what a release finds in its namespace, beside what it creates.
type cluster struct {
	secrets    map[string]map[string]string
	configMaps map[string]map[string]string
}

// process is a started program.
type process struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	log strings.Builder
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// find waits until the log matches, and returns the first group.
func (p *process) find(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if m := re.FindStringSubmatch(p.text()); m != nil {
			return m[len(m)-1]
		}
	}
	t.Fatalf("nothing matches %s:\n%s", pattern, p.text())
	return ""
}

// startProcess starts abs-exporter.
func startProcess(t *testing.T, env, args []string) *process {
	t.Helper()
	return start(t, binary, env, args)
}

func start(t *testing.T, program string, env, args []string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...)}
	p.cmd.Env, p.cmd.Dir = env, t.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = p.cmd.Wait(); close(ended) }() // its status is in ProcessState
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(patience):
			_ = p.cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("%s\n%s", strings.Join(args, " "), p.text())
		}
	})
	return p
}

// mount writes the volumes of a pod below a directory that stands for the root of its container, as
// the kubelet does: files are links into a directory that is replaced as a whole.
func (c *cluster) mount(t *testing.T, root string, pod *corev1.PodSpec, replace func(string) string) {
	t.Helper()
	for _, m := range pod.Containers[0].VolumeMounts {
		dir := filepath.Join(root, m.MountPath)
		if m.Name == "data" {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if m.SubPath != "" || !m.ReadOnly {
			t.Errorf("%s is mounted as a file, or can be written", m.Name)
		}
		files := c.files(t, pod, m.Name, replace)
		if len(files) == 0 {
			t.Fatalf("nothing is mounted at %s", m.MountPath)
		}
		for name, text := range files {
			writeLinked(t, dir, name, text)
		}
	}
}

// files returns what a volume has, by path.
func (c *cluster) files(t *testing.T, pod *corev1.PodSpec, volume string, replace func(string) string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, v := range pod.Volumes {
		switch {
		case v.Name != volume:
		case v.ConfigMap != nil:
			for key, text := range c.configMaps[v.ConfigMap.Name] {
				files[key] = replace(text)
			}
		case v.Secret != nil:
			maps.Copy(files, c.secrets[v.Secret.SecretName])
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				c.project(t, s, files)
			}
		}
	}
	return files
}

func writeLinked(t *testing.T, dir, name, text string) {
	t.Helper()
	file, link := filepath.Join(dir, "..one", name), filepath.Join(dir, name)
	for _, d := range []string{filepath.Dir(file), filepath.Dir(link)} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte(text), 0o440); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) project(t *testing.T, s corev1.VolumeProjection, files map[string]string) {
	t.Helper()
	from, items := map[string]string{}, []corev1.KeyToPath{}
	switch {
	case s.Secret != nil:
		from, items = c.secrets[s.Secret.Name], s.Secret.Items
	case s.ConfigMap != nil:
		from, items = c.configMaps[s.ConfigMap.Name], s.ConfigMap.Items
	}
	for _, item := range items {
		text, ok := from[item.Key]
		if !ok {
			t.Fatalf("there is no key %s", item.Key)
		}
		if _, twice := files[item.Path]; twice {
			t.Fatalf("%s is projected twice", item.Path)
		}
		files[item.Path] = text
	}
}

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func request(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// deployed is a release whose pods were started as processes.
type deployed struct {
	release *release
	set     *appsv1.StatefulSet
	roots   []string
	pods    []*process
}

// containerPort returns the number of a named port.
func (d *deployed) containerPort(t *testing.T, name string) int {
	t.Helper()
	for _, p := range d.set.Spec.Template.Spec.Containers[0].Ports {
		if p.Name == name {
			return int(p.ContainerPort)
		}
	}
	t.Fatalf("the container has no port %s", name)
	return 0
}

// deploy renders the chart and starts what its container would run, one pod a replica. As all pods
// have one address here, later ones get other ports.
func deploy(t *testing.T, c *cluster, values ...string) *deployed {
	t.Helper()
	d := &deployed{release: render(t, values...)}
	d.set = into[appsv1.StatefulSet](t, d.release.get(t, "StatefulSet"))
	for _, o := range d.release.all("ConfigMap") {
		c.configMaps[o.Metadata.Name] = into[corev1.ConfigMap](t, o).Data
	}
	pod := &d.set.Spec.Template.Spec
	for ordinal := range int(*d.set.Spec.Replicas) {
		root := t.TempDir()
		replace := func(text string) string {
			for _, m := range pod.Containers[0].VolumeMounts {
				text = strings.ReplaceAll(text, m.MountPath, filepath.Join(root, m.MountPath))
			}
			if ordinal > 0 {
				for _, name := range []string{"http", "probes"} {
					text = strings.ReplaceAll(text, fmt.Sprintf(":%d", d.containerPort(t, name)), ":"+freePort(t))
				}
			}
			return text
		}
		c.mount(t, root, pod, replace)
		container := pod.Containers[0]
		var env []string
		for _, e := range container.Env {
			value := replace(e.Value)
			if e.ValueFrom != nil {
				if e.ValueFrom.FieldRef.FieldPath != "metadata.labels['apps.kubernetes.io/pod-index']" {
					t.Fatalf("%s is from %s", e.Name, e.ValueFrom.FieldRef.FieldPath)
				}
				value = strconv.Itoa(ordinal)
			}
			env = append(env, e.Name+"="+value)
		}
		if len(container.Command) > 0 {
			t.Errorf("the chart replaces the image's entry point by %q", container.Command)
		}
		d.roots = append(d.roots, root)
		d.pods = append(d.pods, startProcess(t, env, container.Args))
	}
	return d
}

// startABS starts a simulated ABS, and returns its URL and its certificate.
func startABS(t *testing.T) (url, certificate string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cert.pem")
	address := "127.0.0.1:" + freePort(t)
	p := startProcess(t, nil, []string{"simulate", "--simulate.listen-address=" + address, "--simulate.cert-file=" + file})
	p.find(t, `(https://127\S+)`)
	return "https://" + address, readFile(t, file)
}

func newCluster(certificate string) *cluster {
	return &cluster{
		secrets: map[string]map[string]string{
			"abs-keys": {"access-key": "abs_ak", "secret-key": "abs_sk"},
			"token":    {"token-key": "0123456789abcdef"},
		},
		configMaps: map[string]map[string]string{"abs-ca": {"ca.crt": certificate}},
	}
}

// What the chart deploys runs: arguments, variables and files start the program, the probes answer,
// the ServiceMonitor finds the metrics of the target, and the NetworkPolicy opens the ports of the
// container and of ABS.
func TestDeployedRuns(t *testing.T) {
	url, certificate := startABS(t)
	d := deploy(t, newCluster(certificate), fmt.Sprintf(`
targets:
  - name: production
    url: %s
    existingSecret: {name: abs-keys}
    tls: {existingConfigMap: abs-ca, caKey: ca.crt}
    settings: {timezone: Europe/Berlin}
web: {port: %s, probePort: %s}
service: {port: 80}
serviceMonitor: {enabled: true}
networkPolicy: {enabled: true}
extraArgs: [--log.format=json]
`, url, freePort(t), freePort(t)))
	pod := d.pods[0]
	pod.find(t, `"msg":"(state restored|polling|target|Listening on)`)

	container := d.set.Spec.Template.Spec.Containers[0]
	for name, probe := range map[string]*corev1.Probe{"liveness": container.LivenessProbe, "readiness": container.ReadinessProbe, "startup": container.StartupProbe} {
		at := fmt.Sprintf("http://127.0.0.1:%d%s", d.containerPort(t, probe.HTTPGet.Port.String()), probe.HTTPGet.Path)
		answers(t, at, func(status int, _ string) bool { return status == http.StatusOK }, name)
	}

	// The way from the monitor over the service to the container.
	monitor := into[monitoringv1.ServiceMonitor](t, d.release.get(t, "ServiceMonitor"))
	service := into[corev1.Service](t, d.release.get(t, "Service"))
	endpoint := monitor.Spec.Endpoints[0]
	if endpoint.Port != service.Spec.Ports[0].Name {
		t.Errorf("the monitor scrapes the port %s of the service, which has %s", endpoint.Port, service.Spec.Ports[0].Name)
	}
	for key, v := range monitor.Spec.Selector.MatchLabels {
		if service.Labels[key] != v {
			t.Errorf("the monitor does not select the service: %s=%s", key, service.Labels[key])
		}
	}
	for key, v := range service.Spec.Selector {
		if d.set.Spec.Template.Labels[key] != v {
			t.Errorf("the service does not select the pods: %s=%s", key, d.set.Spec.Template.Labels[key])
		}
	}
	http := d.containerPort(t, service.Spec.Ports[0].TargetPort.String())
	answers(t, fmt.Sprintf("%s://127.0.0.1:%d%s", endpoint.Scheme, http, endpoint.Path), func(_ int, body string) bool {
		return strings.Contains(body, "\nabs_up{target=\"production\"} 1\n")
	}, "the metrics")
	if r := endpoint.RelabelConfigs[0]; r.TargetLabel != "instance" || r.SourceLabels[0] != "__meta_kubernetes_pod_name" {
		t.Errorf("instance is %v", r)
	}

	policy := into[networkingv1.NetworkPolicy](t, d.release.get(t, "NetworkPolicy"))
	var in []int
	for _, rule := range policy.Spec.Ingress {
		for _, p := range rule.Ports {
			in = append(in, p.Port.IntValue())
		}
	}
	if want := []int{http, d.containerPort(t, "probes")}; fmt.Sprint(in) != fmt.Sprint(want) {
		t.Errorf("the policy opens %v, the container listens on %v", in, want)
	}
	var out []string
	for _, rule := range policy.Spec.Egress {
		for _, p := range rule.Ports {
			out = append(out, p.Port.String())
		}
	}
	if _, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":"); fmt.Sprint(out) != fmt.Sprint([]string{"53", "53", port}) {
		t.Errorf("the policy lets out to %v", out)
	}
	saved, err := filepath.Glob(filepath.Join(d.roots[0], "data", "counters-*.state"))
	if err != nil || len(saved) != 1 {
		t.Errorf("the state is in %q, %v", saved, err)
	}
}

// answers waits for an answer.
func answers(t *testing.T, url string, good func(status int, body string) bool, what string) {
	t.Helper()
	var status int
	var body string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if status, body = request(t, url); good(status, body) {
			return
		}
	}
	t.Errorf("%s: %s answers %d\n%s", what, url, status, body)
}

// The pods of a sharded release poll every target, and none twice.
func TestDeployedShards(t *testing.T) {
	url, certificate := startABS(t)
	var targets []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		targets = append(targets, fmt.Sprintf("{name: %s, url: %s, existingSecret: {name: abs-keys}, tls: {existingConfigMap: abs-ca, caKey: ca.crt}}", name, url))
	}
	d := deploy(t, newCluster(certificate), fmt.Sprintf("{shards: 2, tokenKey: {existingSecret: {name: token}}, web: {port: %s, probePort: %s}, targets: [%s]}",
		freePort(t), freePort(t), strings.Join(targets, ", ")))
	polled := map[string]int{}
	for i, pod := range d.pods {
		pod.find(t, `msg="polling the targets of a shard" shard=`+strconv.Itoa(i)+` shards=2 targets=(\d)`)
		pod.find(t, `msg="(Listening on)"`)
		saved, err := filepath.Glob(filepath.Join(d.roots[i], "data", "counters-*.state"))
		if err != nil || len(saved) == 0 {
			t.Errorf("pod %d has the state of %q, %v", i, saved, err)
		}
		for _, file := range saved {
			polled[filepath.Base(file)]++
		}
	}
	for file, n := range polled {
		if n != 1 {
			t.Errorf("%s is in %d pods", file, n)
		}
	}
	if len(polled) != len(targets) {
		t.Errorf("%d of %d targets are polled", len(polled), len(targets))
	}
}

// The configuration of every file of values is accepted by the exporter.
func TestConfigurationsAreAccepted(t *testing.T) {
	_, certificate := startABS(t)
	for _, name := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			c := newCluster(certificate)
			for _, secret := range []string{"abs-production", "abs-staging", "abs-lab", "abs-staging-ca", "abs-token-key", "abs-gateway", "otlp-headers"} {
				c.secrets[secret] = map[string]string{
					"access-key": "a", "secret-key": "b", "ak": "a", "sk": "b", "token-key": "0123456789abcdef", "ca.crt": certificate,
					"password": "p", "proxy": "p", "api-key": "k", "tenant": "t", "token": "t", "headers": "x: y",
				}
			}
			c.configMaps["abs-ca"] = map[string]string{"ca.pem": certificate}
			c.secrets["abs-exporter-web"] = map[string]string{"web.yml": ""}
			values := []string{valuesFile(t, name), "extraVolumeMounts: []", fmt.Sprintf("web: {port: %s, probePort: %s}", freePort(t), freePort(t))}
			if name == "full" {
				values = append(values, `extraArgs: [--log.format=logfmt]`, fullTargetsWithoutClientCertificate)
			}
			for _, pod := range deploy(t, c, values...).pods {
				pod.find(t, `msg="(Listening on)"`)
			}
		})
	}
}

// The simulator writes no key, so that there is no client certificate to load.
const fullTargetsWithoutClientCertificate = `
targets:
  - name: production
    url: https://127.0.0.1:1
    existingSecret: {name: abs-production, accessKey: ak, secretKey: sk}
    tls: {existingConfigMap: abs-ca, caKey: ca.pem}
    settings: {timezone: Europe/Berlin, rate: 10}
  - name: staging
    url: https://127.0.0.1:1
    existingSecret: {name: abs-staging}
    tls: {existingSecret: abs-staging-ca, caKey: ca.crt}
    secretFiles:
      basicAuthPassword: {name: abs-gateway, key: password}
      proxyPassword: {name: abs-gateway, key: proxy}
      headers: {X-Api-Key: {name: abs-gateway, key: api-key}, X-Tenant: {name: abs-gateway, key: tenant}}
    settings:
      user: restricted
      tls: {server-name: abs}
      proxy-url: http://exporter@127.0.0.1:1
      basic-auth: {user: exporter}
  - name: lab
    url: http://127.0.0.1:1
    existingSecret: {name: abs-lab}
    secretFiles: {bearerToken: {name: abs-gateway, key: token}}
`
