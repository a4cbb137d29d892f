package backfill

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/ledger"
	"github.com/abs-exporter/abs-exporter/metrics"
)

// However many checkpoints there are, few files are open at once, and the samples stay in order.
func TestManyParts(t *testing.T) {
	d, err := openWorkDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	f := files{d, 0}
	c := checkpoint{Settings: []string{"--from"}, Ledger: ledger.New(ledger.Config{SlotTimes: ledger.SlotTimes{Slot: time.Minute}, Zone: ledger.Zone{Location: time.UTC}}).State()}
	const saves = 200
	for n := range int64(saves) {
		b := buffer{labels: metrics.NewOwnLabels(map[string]string{"env": "prod"})}
		for _, token := range []string{"b", "a", fmt.Sprint(n)} {
			s := metrics.NewSeries(metrics.TokenRequests, begin, "t", token)
			b.add(s, 1000*n, 10*n)
			b.add(s, 1000*n+500, 10*n+1)
		}
		if err := f.save(&c, &b, n == saves-1); err != nil {
			t.Fatal(err)
		}
		if parts := d.own("*.part"); len(parts) != len(c.Parts) || len(parts) > mostParts {
			t.Fatalf("%d files after %d saves, %d named", len(parts), n, len(c.Parts))
		}
		var again checkpoint
		if found, err := f.load(&again); !found || err != nil || fmt.Sprint(again.Parts) != fmt.Sprint(c.Parts) {
			t.Fatalf("%v, %v: %v instead of %v", found, err, again.Parts, c.Parts)
		}
	}
	if len(c.Parts) != 1 {
		t.Errorf("%d parts are left", len(c.Parts))
	}
	name := filepath.Join(t.TempDir(), "text")
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	written, err := writeText(t.Context(), out, []Label{{"job", `a "b"`}}, f.paths(&c))
	text, _ := os.ReadFile(name)
	if err != nil || written.Series != 2+saves || written.Samples != 6*saves || written.Bytes != int64(len(text)) {
		t.Errorf("%+v, %v", written, err)
	}
	all := parse(t, string(text))
	for _, token := range []string{"a", "b"} {
		samples := all[`abs_token_requests_total{job="a \"b\"",target="t",token="`+token+`",env="prod"}`]
		if len(samples) != 2*saves {
			t.Fatalf("%d samples of %s", len(samples), token)
		}
		for i, s := range samples {
			if want := (sample{int64(500 * i), int64(i/2*10 + i%2)}); s != want {
				t.Fatalf("%v, want %v", s, want)
			}
		}
	}
}

// What a killed process left is removed.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".target-0.checkpoint123456"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := openWorkDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, name := range []string{"target-0-00000001.part", "target-0-00000002.part", "target-1-00000003.part", "somebody-elses"} {
		if err := os.WriteFile(filepath.Join(d.path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&files{d, 0}).sweep(&checkpoint{Parts: []int{2}}); err != nil {
		t.Fatal(err)
	}
	if left := fmt.Sprint(d.own("*")); left != fmt.Sprintf("[%[1]s/lock %[1]s/somebody-elses %[1]s/target-0-00000002.part %[1]s/target-1-00000003.part]", d.path) {
		t.Error(left)
	}
	if err := d.remove(); err != nil {
		t.Fatal(err)
	}
	if left := fmt.Sprint(append(d.own("*"), d.own(".*")...)); left != fmt.Sprintf("[%s/somebody-elses]", d.path) {
		t.Error(left)
	}
}
