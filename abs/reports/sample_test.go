package reports

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/iotest"
	"time"
)

// countIn returns the sum of the entries of a key.
func countIn(counts []Count, key string) (n int64) {
	for _, c := range counts {
		if string(c.Key) == key {
			n += c.N
		}
	}
	return n
}

func TestPublishedTokens(t *testing.T) {
	body, err := os.ReadFile("testdata/oauthtokens.sample")
	if err != nil {
		t.Fatal(err)
	}
	var (
		tokens []string
		put    int64
	)
	sum, err := newTestReader().readTokens(bytes.NewReader(body), 0, time.UTC, func(r *Row) error {
		tokens = append(tokens, string(r.Token))
		if string(r.Token) == "token10" {
			put = countIn(r.Methods, "PUT")
		}
		for name, counts := range map[string][]Count{"ips": r.IPs, "methods": r.Methods, "apis": r.APIs, "devices": r.Devices} {
			var all int64
			for _, c := range counts {
				all += c.N
			}
			if all != r.Requests {
				t.Errorf("%s of %s add up to %d, not to %d", name, r.Token, all, r.Requests)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Summary{
		Tokens: 30, Requests: 163250, HasSummary: true,
		Earlier: time.Date(2018, 2, 13, 18, 0, 0, 0, time.UTC),
		Later:   time.Date(2018, 2, 18, 18, 0, 0, 0, time.UTC),
		Rows:    5, RowRequests: 12206, Bytes: int64(len(body)),
	}
	if sum != want {
		t.Errorf("summary\n got %+v\nwant %+v", sum, want)
	}
	if want := []string{"token_highresptime", "token10", "token14", "token_type2memory", "token_method"}; !slices.Equal(tokens, want) {
		t.Errorf("tokens %q, want %q", tokens, want)
	}
	if put != 1616 {
		t.Errorf("PUT of token10 is %d, want 1616", put)
	}
}

func TestPublishedForensics(t *testing.T) {
	body, err := os.ReadFile("testdata/forensics.sample")
	if err != nil {
		t.Fatal(err)
	}
	f, err := newTestReader().readForensics(bytes.NewReader(body), 0, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	apis := []string{"atm_app_oauth", "2_atm_app_oauth"}
	if got, want := fmt.Sprint(f.AttackTypes), fmt.Sprint([]Finding{{"API Memory Attack Type 1", apis}, {"Data Poisoning Attack", apis}}); got != want {
		t.Errorf("attack types %s, want %s", got, want)
	}
	if f.Requests != 6556 || f.Attacks != 2 || f.Anomalies != 0 || !f.HasSummary || len(f.AnomalyTypes) != 0 {
		t.Errorf("summary %+v", f)
	}
	m := f.Metrics
	if string(m.Token) != "token1" || m.Requests != 6556 || countIn(m.Methods, "PUT") != 4000 ||
		countIn(m.APIs, "atm_app_oauth") != 3278 || countIn(m.Devices, "UNKNOWN") != 6556 || countIn(m.IPs, "127.0.0.1") != 6556 {
		t.Errorf("metrics %+v", m)
	}
	if !f.Earlier.Equal(time.Date(2018, 2, 13, 18, 0, 0, 0, time.UTC)) || !f.Later.Equal(time.Date(2018, 2, 18, 18, 0, 0, 0, time.UTC)) {
		t.Errorf("dates %v %v", f.Earlier, f.Later)
	}
	if f.Bytes != int64(len(body)) {
		t.Errorf("%d bytes, want %d", f.Bytes, len(body))
	}
}

// A result must not change when the reader reads the next report.
func TestForensicsMetricsAreKept(t *testing.T) {
	body, err := os.ReadFile("testdata/forensics.sample")
	if err != nil {
		t.Fatal(err)
	}
	r := newTestReader()
	f, err := r.readForensics(bytes.NewReader(body), 0, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(f)
	if _, err := r.readTokens(iotest.OneByteReader(bytes.NewReader(generateTokens(20, 7))), 0, time.UTC, func(*Row) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if after := fmt.Sprint(f); after != before {
		t.Error("the metrics of forensics changed with the next report")
	}
}

// Every prefix of a real report is refused as truncated, at its end.
func TestEveryPrefixIsRefused(t *testing.T) {
	for file, read := range map[string]func(r *reportReader, b []byte) error{
		"testdata/oauthtokens.sample": func(r *reportReader, b []byte) error {
			_, err := r.readTokens(bytes.NewReader(b), 0, time.UTC, func(*Row) error { return nil })
			return err
		},
		"testdata/forensics.sample": func(r *reportReader, b []byte) error {
			_, err := r.readForensics(bytes.NewReader(b), 0, time.UTC)
			return err
		},
	} {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.TrimSpace(body)
		r := newTestReader()
		for n := 1; n < len(body); n++ {
			var e *Fault
			if !errors.As(read(r, body[:n]), &e) || !e.Truncated || e.TooLong || e.Offset != int64(n) {
				t.Fatalf("%s cut to %d bytes: %#v", file, n, e)
			}
		}
	}
}

func TestAllocationsPerRow(t *testing.T) {
	const tokens = 2000
	body := generateTokens(tokens, 3)
	r := newTestReader()
	source := bytes.NewReader(nil)
	read := func() {
		source.Reset(body)
		if _, err := r.readTokens(source, 0, time.UTC, func(*Row) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	read()
	// The dates of the report need a few; rows need none.
	if got := testing.AllocsPerRun(5, read); got > 20 {
		t.Errorf("%v allocations for %d rows, want 10 at most", got, tokens)
	}
}
