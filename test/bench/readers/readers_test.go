package readers

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

func rowText(r *abs.Row) string {
	text := fmt.Sprintf("%q %d", r.Token, r.Requests)
	for _, counts := range [][]abs.Count{r.IPs, r.Methods, r.APIs, r.Devices} {
		text += ";"
		for _, c := range counts {
			text += fmt.Sprintf(" %q %d", c.Key, c.N)
		}
	}
	return text
}

// seeds returns the samples and the fuzz inputs of package abs.
func seeds(f *testing.F) (bodies [][]byte) {
	f.Helper()
	for _, pattern := range []string{"../../../abs/reports/testdata/*.sample", "../../../abs/reports/testdata/fuzz/FuzzReadTokens/*"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			f.Fatalf("no seeds at %s: %v", pattern, err)
		}
		for _, name := range names {
			body, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if quoted, ok := strings.CutPrefix(string(body), "go test fuzz v1\n[]byte("); ok {
				var text string
				if _, err := fmt.Sscanf(strings.TrimSuffix(strings.TrimSpace(quoted), ")"), "%q", &text); err != nil {
					f.Fatalf("%s: %v", name, err)
				}
				body = []byte(text)
			}
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// FuzzSameRows compares the exporter's reader with jsontext on the same bytes: the same rows and
// the same summary, or both refuse. (Package abs compares it with encoding/json.)
func FuzzSameRows(f *testing.F) {
	for _, body := range seeds(f) {
		f.Add(body)
	}
	var small bytes.Buffer
	if _, err := simulator.WriteReport(&small, 7, 3); err != nil {
		f.Fatal(err)
	}
	f.Add(small.Bytes())
	f.Add([]byte(`{"name": "oauth_token_metrics", "details": [{"token": "a", "total_requests": 1, "ip_list": [{"urls": {"/": 3E932}}]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 1<<20 {
			t.Skip("the exporter's reader refuses strings longer than 1 MiB")
		}
		own, err := NewOwn()
		if err != nil {
			t.Fatal(err)
		}
		var ours, theirs []string
		sum, err := own.Read(bytes.NewReader(body), func(r *abs.Row) error {
			ours = append(ours, rowText(r))
			return nil
		})
		var library Jsontext
		want, wantErr := library.Read(NewFilter(bytes.NewReader(body)), func(r *abs.Row) error {
			theirs = append(theirs, rowText(r))
			return nil
		})
		if sum.Skipped.Rows() > 0 {
			return // jsontext's reader fails a report for one bad row; package abs compares those
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("ours: %v\njsontext: %v", err, wantErr)
		}
		if err != nil {
			return
		}
		want.Earlier, want.Later, want.Bytes, want.Clock = sum.Earlier, sum.Later, sum.Bytes, sum.Clock
		want.OtherDates = sum.OtherDates // by those that were asked for
		if sum != want {
			t.Fatalf("summary\n%+v\njsontext\n%+v", sum, want)
		}
		if a, b := strings.Join(ours, "\n"), strings.Join(theirs, "\n"); a != b {
			t.Fatalf("rows\n%s\njsontext\n%s", a, b)
		}
	})
}

func BenchmarkReaders(b *testing.B) {
	const tokens = 10_000
	var body bytes.Buffer
	if _, err := simulator.WriteReport(&body, 1, tokens); err != nil {
		b.Fatal(err)
	}
	report := body.Bytes()
	own, err := NewOwn()
	if err != nil {
		b.Fatal(err)
	}
	var library Jsontext
	drop := func(*abs.Row) error { return nil }
	for _, r := range []struct {
		name string
		read func() (int, error)
	}{
		{"own", func() (int, error) {
			s, err := own.Read(bytes.NewReader(report), drop)
			return int(s.Rows), err
		}},
		{"jsontext", func() (int, error) {
			s, err := library.Read(NewFilter(bytes.NewReader(report)), drop)
			return int(s.Rows), err
		}},
		{"encoding-json-rows", func() (int, error) { return StandardRows(NewFilter(bytes.NewReader(report))) }},
		{"encoding-json-at-once", func() (int, error) { return StandardAtOnce(NewFilter(bytes.NewReader(report))) }},
	} {
		b.Run(r.name, func(b *testing.B) {
			b.SetBytes(int64(len(report)))
			b.ReportAllocs()
			for b.Loop() {
				if rows, err := r.read(); err != nil || rows != tokens {
					b.Fatal(rows, err)
				}
			}
		})
	}
}
