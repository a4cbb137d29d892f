package helm

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// The chart and the Dockerfile agree: the entry point is left to the image, the pod runs as the
// image's user, the metrics are on the port that it exposes, and the state is on its volume.
func TestImageAgrees(t *testing.T) {
	dockerfile := readFile(t, filepath.Join(top, "Dockerfile"))
	_, final, _ := strings.Cut(dockerfile, "FROM scratch\n")
	release := render(t, valuesFile(t, "minimal"))
	set := into[appsv1.StatefulSet](t, release.get(t, "StatefulSet"))
	pod := set.Spec.Template.Spec
	container := pod.Containers[0]
	var data string
	for _, m := range container.VolumeMounts {
		if m.Name == "data" {
			data = m.MountPath
		}
	}
	for _, want := range []string{
		`ENTRYPOINT ["/abs-exporter"]`,
		fmt.Sprintf("USER %d:%d", *pod.SecurityContext.RunAsUser, *pod.SecurityContext.RunAsGroup),
		fmt.Sprintf("EXPOSE %d", container.Ports[0].ContainerPort),
		fmt.Sprintf("VOLUME [%q]", data),
	} {
		if !slices.Contains(strings.Split(final, "\n"), want) {
			t.Errorf("the last stage of the Dockerfile lacks %s", want)
		}
	}
	if len(container.Command) > 0 || !slices.Equal(container.Args, []string{"serve"}) {
		t.Errorf("the container runs %q %q", container.Command, container.Args)
	}
	if *pod.SecurityContext.FSGroup != *pod.SecurityContext.RunAsGroup {
		t.Error("the volume is not the user's")
	}
	if !strings.Contains(release.notes, "-- /abs-exporter check") {
		t.Error("the notes do not name the program as the image has it")
	}
}

// .dockerignore lets in every folder that the binary is made of.
func TestImageHasTheSources(t *testing.T) {
	var allowed []string
	for line := range strings.SplitSeq(readFile(t, filepath.Join(top, ".dockerignore")), "\n") {
		if name, ok := strings.CutPrefix(line, "!"); ok {
			allowed = append(allowed, name)
		}
	}
	list := exec.Command("go", "list", "-deps", "./cmd/abs-exporter")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := regexp.MustCompile(`(?m)^github.com/abs-exporter/abs-exporter/(\S+)$`).FindAllStringSubmatch(string(out), -1)
	if len(packages) < 10 {
		t.Fatalf("the binary is made of %d packages", len(packages))
	}
	for _, p := range packages {
		if !slices.ContainsFunc(allowed, func(name string) bool { return p[1] == name || strings.HasPrefix(p[1], name+"/") }) {
			t.Errorf("%s is not in .dockerignore, so the image cannot be built", p[1])
		}
	}
}
