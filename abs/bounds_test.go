package abs

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/reports"
)

// maxHeap is what any answer within twice the response cap may take at its peak.
const maxHeap = 256 << 20

// hostile is an answer that is small to send and large to hold. write writes it up to about size
// bytes.
type hostile struct {
	name   string
	report string
	fails  bool
	write  func(w io.Writer, size int) error
	check  func(t *testing.T, rows []Row, f Forensics)
}

const (
	tokensBegin    = `{"name":"oauth_token_metrics","details":[`
	rowBegin       = tokensBegin + `{"token":"t","total_requests":5000000,"ip_list":[`
	forensicsBegin = `{"name":"api_abs_token","details":{`
)

// repeat writes begin, then what each returns for 0, 1, 2, …, with commas, up to size bytes, then
// end.
func repeat(begin string, each func(b []byte, i int) []byte, end string) func(io.Writer, int) error {
	return func(w io.Writer, size int) error {
		b := []byte(begin)
		for i := 0; size > 0; i++ {
			if i > 0 {
				b = append(b, ',')
			}
			b = each(b, i)
			if len(b) > 1<<16 {
				if _, err := w.Write(b); err != nil {
					return err
				}
				size -= len(b)
				b = b[:0]
			}
		}
		_, err := w.Write(append(b, end...))
		return err
	}
}

func same(text string) func([]byte, int) []byte {
	return func(b []byte, _ int) []byte { return append(b, text...) }
}

func numbered(format string) func([]byte, int) []byte {
	before, after, _ := strings.Cut(format, "%d")
	return func(b []byte, i int) []byte {
		return append(strconv.AppendInt(append(b, before...), int64(i), 10), after...)
	}
}

// busy puts the requests of a busy address at some of the places.
func busy(crowd func([]byte, int) []byte, entry string, at ...int) func([]byte, int) []byte {
	return func(b []byte, i int) []byte {
		for _, k := range at {
			if i == k {
				return append(b, entry...)
			}
		}
		return crowd(b, i)
	}
}

func hostileAnswers() []hostile {
	ip := func(i int) string { return fmt.Sprintf("%d.%d.%d.%d", 10+i>>24, i>>16&255, i>>8&255, i&255) }
	crowd := func(b []byte, i int) []byte {
		return append(append(append(b, `{"ip":"`...), ip(i)...), `","total_requests":3,"devices":{"LINUX":3},"methods":{"GET":2,"PUT":1},"apis":{"shop":3}}`...)
	}
	long := strings.Repeat("x", 900_000)
	row := func(check func(t *testing.T, r Row)) func(*testing.T, []Row, Forensics) {
		return func(t *testing.T, rows []Row, _ Forensics) {
			if len(rows) != 1 {
				t.Fatalf("%d rows", len(rows))
			}
			check(t, rows[0])
		}
	}
	metricsBegin := forensicsBegin + `"metrics":{"token":"t","ip_list":[`
	return []hostile{
		{"an ip_list of empty objects", ReportTokens, false, repeat(rowBegin, same(`{}`), `]}]}`), nil},
		{"forensics of empty addresses", ReportForensics, false, repeat(metricsBegin, same(`{}`), `]}}}`), nil},
		{"forensics of addresses with empty maps", ReportForensics, false, repeat(metricsBegin, same(`{"ip":"","devices":{"":0}}`), `]}}}`), nil},
		{
			"a plausible row of real addresses", ReportTokens, false,
			repeat(rowBegin, busy(crowd, `{"ip":"192.0.2.1","total_requests":4000}`, 0, 40_000, 400_000, 700_000), `]}]}`),
			row(func(t *testing.T, r Row) {
				if n := countIn(r.IPs, "192.0.2.1"); n < 4000 {
					t.Errorf("the busy address has %d requests, want 4000 at least", n)
				}
				if get, put, shop := countIn(r.Methods, "GET"), countIn(r.Methods, "PUT"), countIn(r.APIs, "shop"); get != 2*put || shop != get+put || shop != countIn(r.Devices, "LINUX") {
					t.Errorf("GET %d, PUT %d, shop %d", get, put, shop)
				}
				if countIn(r.IPs, reports.Other) == 0 || countIn(r.APIs, reports.Other) != 0 {
					t.Error("the addresses are not saturated, or the APIs are")
				}
			}),
		},
		{"many methods", ReportTokens, false, repeat(rowBegin+`{"methods":{`, numbered(`"M%d":1`), `}}]}]}`), nil},
		{"many APIs of many addresses", ReportTokens, false, repeat(rowBegin, numbered(`{"apis":{"%d":1,"a":1,"b":1}}`), `]}]}`), nil},
		{"many devices in forensics", ReportForensics, false, repeat(metricsBegin+`{"devices":{`, numbered(`"D%d":1`), `}}]}}}`), nil},
		{"many long names", ReportTokens, false, repeat(rowBegin+`{"apis":{`, numbered(`"`+long+`%d":1`), `}}]}]}`), nil},
		{"names of 100 bytes in all lists", ReportTokens, false, repeat(rowBegin, func(b []byte, i int) []byte {
			return fmt.Appendf(b, `{"ip":"%0100d","devices":{"%0100d":1},"methods":{"%0100d":1},"apis":{"%0100d":1}}`, i, i, i, i)
		}, `]}]}`), nil},
		{"many attack types", ReportForensics, false, repeat(forensicsBegin+`"attack_types":{`, numbered(`"T%d":["a"]`), `}}}`), nil},
		{"many APIs of an attack type", ReportForensics, false, repeat(forensicsBegin+`"attack_types":{"T":[`, numbered(`"A%d"`), `]}}}`), nil},
		{"many long attack types", ReportForensics, false, repeat(forensicsBegin+`"attack_types":{`, numbered(`"`+long+`%d":"a"`), `}}}`), nil},
		{"a long description", ReportTokens, false, repeat(`{"name":"oauth_token_metrics","description":"`, same(`cAnArY\n\u00e9`), `","details":[]}`), nil},
		{"many unknown members", ReportTokens, false, repeat(`{"name":"oauth_token_metrics","x":{`, numbered(`"%d":{}`), `},"details":[]}`), nil},
		{"many long numbers", ReportTokens, false, repeat(tokensBegin+`{"token":"t","total_requests":1,"ip_list":[`, numbered(`{"total_requests":0.`+strings.Repeat("0", 900_000)+`%de-900000}`), `]}]}`), nil},
		{"many rows", ReportTokens, false, repeat(tokensBegin, numbered(`{"token":"%d","total_requests":1}`), `]}`), nil},
		{"many rows with a long token", ReportTokens, false, repeat(tokensBegin, numbered(`{"token":"`+long+`%d","total_requests":1}`), `]}`), nil},
		{"many bad rows", ReportTokens, true, repeat(tokensBegin, same(`{"token":null}`), `]}`), nil},
		{"a long token", ReportTokens, false, repeat(tokensBegin+`{"total_requests":1,"token":"`, same(`tttttttt`), `"}]}`), nil},
		{"an attack list", ReportAttackList, false, repeat(`{"oauth_tokens":[`, numbered(`"%d"`), `]}`), nil},
		{"an attack list of objects", ReportAttackList, false, repeat(`{"oauth_tokens":[`, numbered(`{"token":"%d","access_time":["x","y"]}`), `]}`), nil},
		{"attacks whose type comes last", ReportAttack, false, repeat(`[{"access_tokens":[`, numbered(`"%d"`), `],"attack_type":"T","api_name":"shop"}]`), nil},
		{"attacks of many types", ReportAttack, false, repeat(`[`, numbered(`{"attack_type":"%d","api_name":"a","access_tokens":["t"]}`), `]`), nil},
		{"attacks with types of their own", ReportAttack, false, repeat(`[{"access_tokens":[`, numbered(`{"token":"t","attack_type":"`+long[:1000]+`%d"}`), `]}]`), nil},
		{"attacks with long tokens", ReportAttack, false, repeat(`[{"access_tokens":[`, numbered(`"`+long+`%d"`), `]}]`), nil},
		{"attacks in many lists", ReportAttack, false, repeat(`[`, same(`{"x":[{"access_tokens":[{"details":[[]]}]}]}`), `]`), nil},
	}
}

// long marks a test of megabytes, in which the race detector has nothing to find: make test runs it
// without.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("reads megabytes of reports")
	}
}

// While any answer within twice the response cap is read, the heap stays below 256 MB. Busy names
// keep their requests, and large buffers are released.
func TestMemoryFollowsWhatIsKept(t *testing.T) {
	long(t)
	for i, c := range hostileAnswers() {
		size := 90 << 20
		if i > 3 {
			size = 12 << 20
		}
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
				_ = c.write(z, size)
				_ = z.Close()
			})
			conf := trusting(t, server)
			conf.Timeout = 5 * time.Minute
			client := mustClient(t, conf)
			ask := func() (rows []Row, f Forensics, err error) {
				switch c.report {
				case ReportTokens:
					_, err = client.Tokens(context.Background(), hour, func(r *Row) error {
						if rows = rows[:0]; c.check != nil {
							rows = append(rows, cloneRow(r))
						}
						return nil
					})
				case ReportForensics:
					f, err = client.Forensics(context.Background(), hour, []byte("t"))
				case ReportAttackList:
					_, err = client.AttackList(context.Background(), hour, func([]byte) error { return nil })
				case ReportAttack:
					_, err = client.Attacks(context.Background(), hour, "shop", func(FlaggedToken) error { return nil })
				}
				return rows, f, err
			}
			base := liveHeap()
			began := time.Now()
			var rows []Row
			var f Forensics
			var err error
			peak := peakHeap(func() { rows, f, err = ask() })
			took := time.Since(began)
			if c.fails != (err != nil) {
				t.Error(err)
			}
			if c.check != nil {
				c.check(t, rows, f)
			}
			rows, f = nil, Forensics{}
			held := liveHeap() - min(base, liveHeap())
			t.Logf("peak %d MB, held %d kB, %.1f s", peak>>20, held>>10, took.Seconds())
			if peak > maxHeap {
				t.Errorf("the heap reaches %d MB, want %d at most", peak>>20, maxHeap>>20)
			}
			if held > 8<<20 {
				t.Errorf("%d MB are held after it", held>>20)
			}
		})
	}
}

// countIn returns the sum of the entries of a key.
func countIn(counts []Count, key string) (n int64) {
	for _, c := range counts {
		if string(c.Key) == key {
			n += c.N
		}
	}
	return n
}

func cloneRow(r *Row) Row {
	c := *r
	for _, l := range []*[]Count{&c.IPs, &c.Methods, &c.APIs, &c.Devices} {
		var all []Count
		for _, e := range *l {
			all = append(all, Count{Key: bytes.Clone(e.Key), N: e.N})
		}
		*l = all
	}
	return c
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peakHeap returns the largest heap in use while f runs.
func peakHeap(f func()) (peak uint64) {
	done := make(chan struct{})
	result := make(chan uint64)
	go func() {
		var peak uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-done:
				result <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(done)
	return <-result
}
