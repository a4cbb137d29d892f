package helm

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// apiServer is a kube-apiserver with its etcd. It has no controllers and no nodes, so that objects
// are validated, stored and never acted on.
type apiServer struct {
	url, kubeconfig string
	client          *http.Client
	resources       map[string]resource // by apiVersion and kind
}

type resource struct {
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced"`
}

const adminToken = "admin"

// onlyByMake skips a test that needs programs which make test does not build.
func onlyByMake(t *testing.T) {
	t.Helper()
	if os.Getenv("TEST_KUBERNETES") == "" {
		t.Skip("make test-kubernetes runs it")
	}
}

// startAPIServer starts a server whose namespaces refuse pods that are not restricted.
func startAPIServer(t *testing.T) *apiServer {
	t.Helper()
	dir := t.TempDir()
	etcd, etcdPeer, port := "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t), freePort(t)
	start(t, "etcd", nil, []string{
		"--data-dir=" + filepath.Join(dir, "etcd"), "--listen-client-urls=" + etcd, "--advertise-client-urls=" + etcd,
		"--listen-peer-urls=" + etcdPeer, "--initial-advertise-peer-urls=" + etcdPeer, "--initial-cluster=default=" + etcdPeer,
	})
	await(t, "etcd", func() error {
		if status, body := request(t, etcd+"/health"); status != http.StatusOK {
			return errors.New(body)
		}
		return nil
	})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	accounts := file("accounts.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	s := &apiServer{url: "https://127.0.0.1:" + port, resources: map[string]resource{}}
	s.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	s.kubeconfig = file("kubeconfig", fmt.Appendf(nil, `{apiVersion: v1, kind: Config, current-context: test,
clusters: [{name: test, cluster: {server: "%s", insecure-skip-tls-verify: true}}],
users: [{name: test, user: {token: %s}}],
contexts: [{name: test, context: {cluster: test, user: test}}]}
`, s.url, adminToken))
	start(t, tool(t, "kube-apiserver"), nil, []string{
		"--etcd-servers=" + etcd, "--bind-address=127.0.0.1", "--secure-port=" + port, "--cert-dir=" + filepath.Join(dir, "certs"),
		"--token-auth-file=" + file("tokens", []byte(adminToken+",admin,admin,system:masters\n")), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + accounts,
		"--service-account-signing-key-file=" + accounts, "--service-cluster-ip-range=10.0.0.0/24",
	})
	await(t, "the API server", func() error {
		status, body, _ := s.do(t, http.MethodGet, "/readyz", nil)
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
	for _, crd := range crds(t) {
		s.create(t, "", readFile(t, crd))
	}
	// The values of the tests name them, and admission looks them up.
	s.create(t, "", "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: monitoring}, value: 1}")
	s.create(t, "", "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gvisor}, handler: runsc}")
	return s
}

func await(t *testing.T, what string, ready func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(3 * patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = ready(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// crds returns the files of the operators' CRDs that the chart has objects of.
func crds(t *testing.T) (files []string) {
	t.Helper()
	operator := filepath.Join(moduleDir(t, "github.com/prometheus-operator/prometheus-operator"), "example", "prometheus-operator-crd")
	for _, kind := range []string{"servicemonitors", "podmonitors", "prometheusrules", "alertmanagerconfigs"} {
		files = append(files, filepath.Join(operator, "monitoring.coreos.com_"+kind+".yaml"))
	}
	grafana := moduleDir(t, "github.com/grafana/grafana-operator/v5")
	return append(files, filepath.Join(grafana, "config", "crd", "bases", "grafana.integreatly.org_grafanadashboards.yaml"))
}

// moduleDir returns where the files of a module are that tools/kubernetes/crds pins.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = filepath.Join(top, "tools", "kubernetes", "crds")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", module, err, out)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m.Dir
}

// do sends a request. It returns the warnings of the response beside its status and body.
func (s *apiServer) do(t *testing.T, method, path string, body []byte) (status int, text string, warnings []string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Content-Type", "application/yaml")
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header.Values("Warning")
}

// path returns where objects of a kind are. A CRD is served a moment after it is created.
func (s *apiServer) path(t *testing.T, apiVersion, kind, namespace string) string {
	t.Helper()
	group := "/apis/" + apiVersion
	if !strings.Contains(apiVersion, "/") {
		group = "/api/" + apiVersion
	}
	key := apiVersion + " " + kind
	if _, ok := s.resources[key]; !ok {
		await(t, key, func() error {
			status, body, _ := s.do(t, http.MethodGet, group, nil)
			var list struct {
				Resources []resource `json:"resources"`
			}
			if err := json.Unmarshal([]byte(body), &list); err != nil || status != http.StatusOK {
				return fmt.Errorf("%d %s, %w", status, body, err)
			}
			for _, r := range list.Resources {
				if r.Kind == kind && !strings.Contains(r.Name, "/") {
					s.resources[key] = r
					return nil
				}
			}
			return fmt.Errorf("%s has no %s", apiVersion, kind)
		})
	}
	r := s.resources[key]
	if r.Namespaced {
		return group + "/namespaces/" + namespace + "/" + r.Name
	}
	return group + "/" + r.Name
}

// post posts an object, with strict fields. An object without a namespace goes into the one given.
func (s *apiServer) post(t *testing.T, namespace, text, query string) (status int, body string, warnings []string) {
	t.Helper()
	var o object
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if o.Metadata.Namespace != "" {
		namespace = o.Metadata.Namespace
	}
	path := s.path(t, o.APIVersion, o.Kind, namespace)
	return s.do(t, http.MethodPost, path+"?fieldValidation=Strict"+query, []byte(text))
}

func (s *apiServer) create(t *testing.T, namespace, text string) {
	t.Helper()
	if status, body, _ := s.post(t, namespace, text, ""); status != http.StatusCreated {
		t.Fatalf("%d %s\n%.300s", status, body, text)
	}
}

// accepts fails unless the server would create the object, and has nothing to warn of.
func (s *apiServer) accepts(t *testing.T, text string) {
	t.Helper()
	status, body, warnings := s.post(t, "monitoring", text, "&dryRun=All")
	if status != http.StatusCreated || len(warnings) > 0 {
		t.Errorf("%d %s\nwarnings: %q\n%.2000s", status, body, warnings, text)
	}
}

// namespace creates a namespace that refuses pods which are not restricted, and warns of workloads
// with such pods.
func (s *apiServer) namespace(t *testing.T, name string) {
	t.Helper()
	s.create(t, "", fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {
pod-security.kubernetes.io/enforce: restricted, pod-security.kubernetes.io/warn: restricted}}}`, name))
	s.create(t, name, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}")
}

// podOf returns the pod that a StatefulSet makes.
func podOf(t *testing.T, o *object) string {
	t.Helper()
	set := into[appsv1.StatefulSet](t, o)
	pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
	pod.Name = set.Name + "-0"
	pod.Spec.ServiceAccountName = "default" // the release's is not created
	for _, claim := range set.Spec.VolumeClaimTemplates {
		volume := corev1.Volume{Name: claim.Name}
		volume.PersistentVolumeClaim = &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + pod.Name}
		pod.Spec.Volumes = append(pod.Spec.Volumes, volume)
	}
	text, err := yaml.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A real API server accepts every object of every file of values and of the matrix, and the pods
// with the restricted Pod Security Standard, without a warning.
func TestKubernetesAcceptsTheObjects(t *testing.T) {
	onlyByMake(t)
	s := startAPIServer(t)
	for _, name := range []string{"monitoring", "other", "grafana"} {
		s.namespace(t, name)
	}

	// It would refuse what is wrong.
	if status, body, _ := s.post(t, "monitoring", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, dada: {}}", "&dryRun=All"); status != http.StatusBadRequest {
		t.Errorf("an unknown field is answered with %d %s", status, body)
	}
	if status, body, _ := s.post(t, "monitoring", "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: a}]}}", "&dryRun=All"); status != http.StatusForbidden {
		t.Errorf("a pod that is not restricted is answered with %d %s", status, body)
	}

	check := func(t *testing.T, values ...string) {
		t.Helper()
		r := render(t, values...)
		set := r.get(t, "StatefulSet")
		if slices.Contains(values, insecurePods) {
			if _, _, warnings := s.post(t, "monitoring", string(set.text), "&dryRun=All"); len(warnings) != 1 || !strings.Contains(warnings[0], "PodSecurity") {
				t.Errorf("without security contexts the server warns of %q", warnings)
			}
			return
		}
		for i := range r.objects {
			s.accepts(t, string(r.objects[i].text))
		}
		s.accepts(t, podOf(t, set))
	}
	for _, name := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) { check(t, valuesFile(t, name)) })
	}
	forEachSwitch(t, check)
}

// kubectl-validate, which needs no server, finds no unknown field and no wrong type.
func TestKubernetesValidate(t *testing.T) {
	onlyByMake(t)
	dir := t.TempDir()
	schemas := filepath.Join(dir, "crds")
	if err := os.Mkdir(schemas, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, crd := range crds(t) {
		if err := os.WriteFile(filepath.Join(schemas, filepath.Base(crd)), []byte(readFile(t, crd)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	validate := func(t *testing.T, text []byte) ([]byte, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "objects.yaml")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return exec.Command(tool(t, "kubectl-validate"), file, "--version=1.30", "--local-crds="+schemas).CombinedOutput()
	}
	for _, name := range valuesFiles(t) {
		t.Run(name, func(t *testing.T) {
			var all []byte
			r := render(t, valuesFile(t, name))
			for i := range r.objects {
				all = fmt.Appendf(all, "---\n%s\n", r.objects[i].text)
			}
			if out, err := validate(t, all); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			wrong := bytes.Replace(all, []byte("podManagementPolicy:"), []byte("podManagmentPolicy:"), 1)
			if out, err := validate(t, wrong); err == nil || !strings.Contains(string(out), "podManagmentPolicy") {
				t.Errorf("an unknown field: %v\n%s", err, out)
			}
		})
	}
}

// installed is the release rel in a namespace.
type installed struct {
	server    *apiServer
	namespace string
}

// helm runs a Helm of a version.
func (i installed) helm(t *testing.T, version string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(tool(t, version), append(args, "--namespace="+i.namespace)...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+i.server.kubeconfig, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must runs a Helm that succeeds, and that the server has not warned.
func (i installed) must(t *testing.T, version string, args ...string) string {
	t.Helper()
	out, err := i.helm(t, version, args...)
	if err != nil || strings.Contains(out, "PodSecurity") {
		t.Fatalf("%s %s: %v\n%s", version, strings.Join(args, " "), err, out)
	}
	return out
}

// set returns the release's StatefulSet as the server has it.
func (i installed) set(t *testing.T) (pods int32, checksum string) {
	t.Helper()
	status, body, _ := i.server.do(t, http.MethodGet, i.server.path(t, "apps/v1", "StatefulSet", i.namespace)+"/rel-abs-exporter", nil)
	var set appsv1.StatefulSet
	if err := json.Unmarshal([]byte(body), &set); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s, %v", status, body, err)
	}
	return *set.Spec.Replicas, set.Spec.Template.Annotations["checksum/config"]
}

// left returns the objects of a kind that nobody deleted.
func (i installed) left(t *testing.T, apiVersion, kind string) (names []string) {
	t.Helper()
	_, body, _ := i.server.do(t, http.MethodGet, i.server.path(t, apiVersion, kind, i.namespace)+"?labelSelector=app.kubernetes.io/instance=rel", nil)
	var list metav1.PartialObjectMetadataList
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	for k := range list.Items {
		if list.Items[k].DeletionTimestamp == nil { // what waits for a controller has one
			names = append(names, kind+" "+list.Items[k].Name)
		}
	}
	return names
}

// Helm 3 and Helm 4 install the smallest release, upgrade it to the fullest, roll it back and
// remove it; Helm 4 upgrades what Helm 3 installed. What a StatefulSet refuses is refused whole.
func TestKubernetesHelm(t *testing.T) {
	onlyByMake(t)
	s := startAPIServer(t)
	for _, name := range []string{"other", "grafana"} {
		s.namespace(t, name)
	}
	const volume = "--set-string=persistence.storageClass=fast,persistence.annotations.backup=yes" // as in full, since it cannot change
	minimal, full := "--values="+filepath.Join(chartDir, "ci", "minimal-values.yaml"), "--values="+filepath.Join(chartDir, "ci", "full-values.yaml")
	for namespace, versions := range map[string][2]string{"three": {"helm3", "helm3"}, "four": {"helm4", "helm4"}, "three-to-four": {"helm3", "helm4"}} {
		t.Run(namespace, func(t *testing.T) {
			s.namespace(t, namespace)
			i, before, after := installed{s, namespace}, versions[0], versions[1]
			if notes := i.must(t, before, "install", "rel", chartDir, minimal, volume); !strings.Contains(notes, "rollout status statefulset/rel-abs-exporter") {
				t.Errorf("the notes are %s", notes)
			}
			_, first := i.set(t)
			i.must(t, after, "upgrade", "rel", chartDir, minimal, volume, "--set=config.collect.interval=5m")
			if _, second := i.set(t); first == "" || second == "" || second == first {
				t.Errorf("the checksum of another configuration is %q, after %q", second, first)
			}
			i.must(t, after, "upgrade", "rel", chartDir, full)
			if pods, _ := i.set(t); pods != 3 {
				t.Errorf("three shards are %d pods", pods)
			}
			out, err := i.helm(t, after, "upgrade", "rel", chartDir, full, "--set=persistence.size=2Gi")
			if err == nil || !strings.Contains(out, "updates to statefulset spec for fields other than") {
				t.Errorf("another size of the volume: %v\n%s", err, out)
			}
			i.must(t, after, "rollback", "rel", "1")
			if pods, last := i.set(t); pods != 1 || last != first {
				t.Errorf("after the rollback there are %d pods with the checksum %q", pods, last)
			}
			i.must(t, after, "uninstall", "rel")
			left := slices.Concat(i.left(t, "v1", "ConfigMap"), i.left(t, "v1", "Service"), i.left(t, "v1", "ServiceAccount"),
				i.left(t, "apps/v1", "StatefulSet"), i.left(t, "monitoring.coreos.com/v1", "PrometheusRule"))
			if len(left) > 0 {
				t.Errorf("uninstall leaves %q", left)
			}
		})
	}
}

// The helm commands of docs/kubernetes.md do what it says, with its values.
func TestKubernetesDocs(t *testing.T) {
	onlyByMake(t)
	page := readFile(t, filepath.Join(top, "docs", "kubernetes.md"))
	values := regexp.MustCompile("(?s)```yaml\n# values.yaml\n(.*?)```").FindStringSubmatch(page)
	commands := regexp.MustCompile(`(?m)^helm (.*)$`).FindAllStringSubmatch(page, -1)
	if values == nil || len(commands) < 3 {
		t.Fatalf("the page has %d commands, values: %t", len(commands), values != nil)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startAPIServer(t)
	s.namespace(t, "monitoring")
	i := installed{s, "monitoring"}
	set := s.path(t, "apps/v1", "StatefulSet", "monitoring") + "/abs-exporter"
	for _, command := range commands {
		if strings.Contains(command[1], "persistence.size") { // the command before it, with kubectl
			if status, body, _ := s.do(t, http.MethodDelete, set+"?propagationPolicy=Background", nil); status != http.StatusOK {
				t.Errorf("%d %s", status, body)
			}
		}
		args := strings.Fields(strings.NewReplacer("helm/abs-exporter", chartDir, "values.yaml", file, "--namespace monitoring", "").Replace(command[1]))
		i.must(t, "helm4", args...)
	}
	_, body, _ := s.do(t, http.MethodGet, set, nil)
	var last appsv1.StatefulSet
	if err := json.Unmarshal([]byte(body), &last); err != nil {
		t.Fatal(err)
	}
	if len(last.Spec.VolumeClaimTemplates) != 1 || last.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage().String() != "2Gi" {
		t.Errorf("in the end the StatefulSet is %s", body)
	}
}
