package abs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// rowsOf reads a report and gives all that its rows say, as text.
func rowsOf(read func(*rowReader, io.Reader, int64, *time.Location, func(*Row) error) (Summary, error), body io.Reader, limit int64) (string, Summary, error) {
	var rows strings.Builder
	sum, err := read(newTestReader(), body, limit, time.UTC, func(r *Row) error {
		_, err := fmt.Fprintf(&rows, "%s %d %v %v %v %v\n", r.Token, r.Requests, r.IPs, r.Methods, r.APIs, r.Devices)
		return err
	})
	return rows.String(), sum, err
}

// What is read ahead is what is read: rows, summary, and what a report is refused for.
func TestReadAhead(t *testing.T) {
	large := generateTokens(300, 3)
	for name, body := range map[string][]byte{
		"small": generateTokens(3, 1), "large": large, "none": generateTokens(0, 1),
		"cut":                       large[:len(large)/2],
		"refused at its end":        append(bytes.Clone(large), 'x'),
		"rows longer than are kept": bytes.ReplaceAll(generateTokens(200, 4), []byte(`"token": "`), []byte(`"token": "`+strings.Repeat("long", 5000))),
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "data with EOF": iotest.DataErrReader,
		} {
			want, wantSum, wantErr := rowsOf((*rowReader).readTokens, wrap(bytes.NewReader(body)), 0)
			got, sum, err := rowsOf((*rowReader).readTokensAhead, wrap(bytes.NewReader(body)), 0)
			if got != want || sum != wantSum || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("%s, %s: %d bytes of rows, %+v, %v; want %d bytes, %+v, %v", name, how, len(got), sum, err, len(want), wantSum, wantErr)
			}
		}
	}
}

// An error of row ends the reading, and so does a panic; the other goroutine has ended then (synctest says if it has not).
func TestReadAheadEnds(t *testing.T) {
	stop := errors.New("stop")
	for name, at := range map[string]int{"the first row": 1, "a row amid": 300, "the last row": 1000} {
		for _, panics := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				rows := 0
				var err error
				func() {
					defer func() {
						if v := recover(); v != nil {
							err = v.(error)
						}
					}()
					_, err = newTestReader().readTokensAhead(bytes.NewReader(generateTokens(1000, 3)), 0, time.UTC, func(*Row) error {
						if rows++; rows < at {
							return nil
						}
						if panics {
							panic(stop)
						}
						return stop
					})
				}()
				if !errors.Is(err, stop) || rows != at {
					t.Errorf("%s, panics: %v: %v after %d rows", name, panics, err, rows)
				}
			})
		}
	}
}

// Rows do not wait for what ABS has not sent yet.
func TestReadAheadWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := generateTokens(10, 5)
		from, to := io.Pipe()
		rows := 0
		go func() {
			cut := bytes.LastIndex(body, []byte(`"token"`))
			_, _ = to.Write(body[:cut]) // a pipe
			synctest.Wait()
			if rows != 9 {
				t.Errorf("%d of 10 rows, of which 9 were sent", rows)
			}
			_, _ = to.Write(body[cut:]) // likewise
			_ = to.Close()              // likewise
		}()
		sum, err := newTestReader().readTokensAhead(from, 0, time.UTC, func(*Row) error {
			rows++
			return nil
		})
		if err != nil || sum.Rows != 10 {
			t.Errorf("%d rows: %v", sum.Rows, err)
		}
	})
}
