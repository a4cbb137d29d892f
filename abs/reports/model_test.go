package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/jsonscan"
)

// The model parses a report into a tree with encoding/json and applies the rules that the package
// documents. It shares only the parsing of dates and the list of known reports with the reader.

var errModel = errors.New("the model refuses this")

// object keeps the order of members, and duplicates.
type object []member

type member struct {
	name  string
	value any
}

// escapeControls turns raw control characters inside strings into escapes: without them the
// published samples are JSON.
func escapeControls(body []byte) []byte {
	var out bytes.Buffer
	inString, escaped := false, false
	for _, c := range body {
		switch {
		case inString && !escaped && c < ' ':
			fmt.Fprintf(&out, `\u%04x`, c)
			continue
		case inString && escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		}
		out.WriteByte(c)
	}
	return out.Bytes()
}

func parseTree(body []byte) (any, error) {
	body = escapeControls(bytes.TrimPrefix(body, []byte("\ufeff")))
	if !json.Valid(body) {
		return nil, errModel
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return tree(d, 0)
}

func tree(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == jsonscan.MaxDepth {
		return nil, errModel
	}
	var (
		list = []any{}
		o    = object{}
	)
	for d.More() {
		name := ""
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			name = key.(string)
		}
		v, err := tree(d, depth+1)
		if err != nil {
			return nil, err
		}
		list, o = append(list, v), append(o, member{name, v})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if delim == '{' {
		return o, nil
	}
	return list, nil
}

// refuse ends the model's reading with a panic that modelled catches.
func refuse(when bool) {
	if when {
		panic(errModel)
	}
}

func modelled(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p != errModel { //nolint:errorlint // the very one
				panic(p)
			}
			err = errModel
		}
	}()
	f()
	return nil
}

// fields returns the known members of an object and refuses duplicates.
func fields(v any, known ...string) map[string]any {
	o, ok := v.(object)
	refuse(!ok)
	m := map[string]any{}
	for _, f := range o {
		for _, k := range known {
			if f.name == k {
				_, twice := m[k]
				refuse(twice)
				m[k] = f.value
			}
		}
	}
	return m
}

// modelCount returns a whole number of at most 2^53, in any notation.
func modelCount(v any) int64 {
	n, ok := v.(json.Number)
	refuse(!ok)
	digits, exponent, _ := strings.Cut(strings.ToLower(n.String()), "e")
	if e, err := strconv.Atoi(exponent); exponent != "" && (err != nil || e > 1000 || e < -1000) {
		// The seeds and what grows from them have no such mantissa but 0.
		refuse(strings.Trim(digits, "-.0") != "")
		return 0
	}
	x, ok := new(big.Rat).SetString(n.String())
	refuse(!ok || !x.IsInt() || x.Sign() < 0 || x.Num().Cmp(big.NewInt(1<<53)) > 0)
	return x.Num().Int64()
}

func modelString(v any) string {
	s, ok := v.(string)
	refuse(!ok)
	return s
}

// modelRow returns a row, nil if it is to be left out.
func modelRow(v any, strict bool) (row *Row) {
	if modelled(func() { row = modelWholeRow(v, strict) }) != nil {
		return nil
	}
	return row
}

func modelWholeRow(v any, strict bool) *Row {
	m := fields(v, "token", "total_requests", "ip_list")
	var row Row
	if v, ok := m["token"]; ok || strict {
		row.Token = []byte(modelString(v))
		refuse(strict && len(row.Token) == 0)
	}
	if v, ok := m["total_requests"]; ok || strict {
		row.Requests = modelCount(v)
	}
	list, ok := m["ip_list"].([]any)
	refuse(!ok && m["ip_list"] != nil)
	sums := map[string]int64{}
	counts := func(v any, name string, dst []Count) []Count {
		if v == nil {
			return dst
		}
		o, ok := v.(object)
		refuse(!ok)
		for _, f := range o {
			n := modelCount(f.value)
			sums[name] += n
			refuse(sums[name] > 1<<53)
			dst = append(dst, Count{[]byte(f.name), n})
		}
		return dst
	}
	for _, entry := range list {
		m := fields(entry, "ip", "total_requests", "devices", "methods", "apis")
		var who Count
		if m["ip"] != nil {
			who.Key = []byte(modelString(m["ip"]))
		}
		if v, ok := m["total_requests"]; ok {
			who.N = modelCount(v)
		}
		sums["ip"] += who.N
		refuse(sums["ip"] > 1<<53)
		if len(who.Key) > 0 || who.N > 0 {
			row.IPs = append(row.IPs, who)
		}
		row.Devices = counts(m["devices"], "devices", row.Devices)
		row.Methods = counts(m["methods"], "methods", row.Methods)
		row.APIs = counts(m["apis"], "apis", row.APIs)
	}
	return &row
}

func modelDate(v any) time.Time {
	s, _ := v.(string)
	return parseDate([]byte(s), time.UTC)
}

func modelTokens(body []byte) (rows []string, sum Summary, err error) {
	root, err := parseTree(body)
	if err != nil {
		return nil, sum, err
	}
	err = modelled(func() {
		m := fields(root, "name", "earlier_date", "later_date", "summary", "details")
		refuse(m["name"] != "oauth_token_metrics")
		sum.Earlier, sum.Later = modelDate(m["earlier_date"]), modelDate(m["later_date"])
		if m["summary"] != nil {
			s := fields(m["summary"], "tokens", "total_requests")
			if v, ok := s["tokens"]; ok {
				sum.Tokens = modelCount(v)
			}
			if v, ok := s["total_requests"]; ok {
				sum.Requests = modelCount(v)
			}
			sum.HasSummary = len(s) == 2
		}
		list, ok := m["details"].([]any)
		refuse(!ok && m["details"] != nil)
		bad := int64(0)
		var sums [4]int64
		for _, v := range list {
			row := modelRow(v, true)
			if row == nil {
				bad++
				continue
			}
			sum.Rows++
			sum.RowRequests += row.Requests
			refuse(sum.RowRequests > 1<<53)
			for i, of := range [][]Count{row.IPs, row.Devices, row.Methods, row.APIs} {
				for _, c := range of {
					sums[i] += c.N
				}
				refuse(sums[i] > 1<<53)
			}
			rows = append(rows, rowText(row))
		}
		refuse(bad > 10 && 10*bad > bad+sum.Rows)
		sum.Skipped.Shape = bad // whatever the reason
	})
	return rows, sum, err
}

func modelFindings(v any) (all []Finding) {
	if v == nil {
		return nil
	}
	if list, ok := v.([]any); ok {
		refuse(len(list) > 0)
		return nil
	}
	o, ok := v.(object)
	refuse(!ok)
	for _, f := range o {
		at := -1
		for i := range all {
			if all[i].Type == f.name {
				at = i
			}
		}
		if at < 0 {
			all, at = append(all, Finding{Type: f.name}), len(all)
		}
		apis, ok := f.value.([]any)
		if !ok && f.value != nil {
			apis = []any{f.value}
		}
	next:
		for _, v := range apis {
			api := modelString(v)
			for _, known := range all[at].APIs {
				if known == api {
					continue next
				}
			}
			all[at].APIs = append(all[at].APIs, api)
		}
	}
	return all
}

func modelForensics(body []byte) (f Forensics, err error) {
	root, err := parseTree(body)
	if err != nil {
		return f, err
	}
	err = modelled(func() {
		m := fields(root, "name", "earlier_date", "later_date", "summary", "details")
		refuse(m["name"] != "api_abs_token")
		f.Earlier, f.Later = modelDate(m["earlier_date"]), modelDate(m["later_date"])
		if m["summary"] != nil {
			s := fields(m["summary"], "total_requests", "total_attacks", "total_anomalies")
			for name, n := range map[string]*int64{"total_requests": &f.Requests, "total_attacks": &f.Attacks, "total_anomalies": &f.Anomalies} {
				if v, ok := s[name]; ok {
					*n = modelCount(v)
				}
			}
			f.HasSummary = len(s) == 3
		}
		if m["details"] == nil {
			return
		}
		d := fields(m["details"], "metrics", "attack_types", "anomaly_types")
		if d["metrics"] != nil {
			if row := modelRow(d["metrics"], false); row != nil {
				f.Metrics = *row
			}
		}
		f.AttackTypes, f.AnomalyTypes = modelFindings(d["attack_types"]), modelFindings(d["anomaly_types"])
	})
	return f, err
}

func forensicsText(f Forensics) string {
	return fmt.Sprintf("%v %d %d %d %q %q %v %v %s", f.HasSummary, f.Requests, f.Attacks, f.Anomalies,
		f.AttackTypes, f.AnomalyTypes, f.Earlier, f.Later, rowText(&f.Metrics))
}

func addSeeds(f *testing.F, names ...string) {
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
}

// FuzzReadTokens compares the reader with the model: the same rows, or both refuse. In reads of one
// byte the result is the same, and so is the text of the error.
func FuzzReadTokens(f *testing.F) {
	addSeeds(f, "testdata/oauthtokens.sample", "testdata/forensics.sample")
	addRefusals(f, refusedTokens())
	f.Add(generateTokens(2, 11))
	for _, seed := range []string{
		`{"details":[{"ip_list":[{"apis":{"é\ud83d\ude00":3},"methods":{"GET":2,"PUT":1},"total_requests":3,"urls":{"/\n":3},"devices":null,"ip":"1.2.3.4"},{}],"total_requests":3,"token":"\ud83da"}],"summary":{"total_requests":1,"tokens":1},"name":"oauth_token_metrics"}`,
		`{"x":{"y":[1,-2.5e+3,0.1E-2,true,false,null,"\u00e9\"",{"":{}}]},"name":"oauth_token_metrics","summary":null,"details":null}`,
		`{"name":"oauth_token_metrics","details":[{"token":"a","total_requests":9007199254740993}]}`,
		"{\"name\":\"oauth_token_metrics\",\"details\":[{\"token\":\"\xff\xe2\x82\x00\",\"total_requests\":1e3}]}",
		`{"message":"no","date":"05September2016"}`, `<html>`, `[[[[`, `{"name":"oauth_token_metrics"}{`,
	} {
		f.Add([]byte(seed))
	}
	r := newTestReader()
	f.Fuzz(func(t *testing.T, body []byte) {
		var rows []string
		add := func(w *Row) error {
			rows = append(rows, rowText(w))
			return nil
		}
		sum, err := r.readTokens(bytes.NewReader(body), 0, time.UTC, add)
		gotRows, want := rows, sum
		modelRows, modelSum, modelErr := modelTokens(body)
		if (err == nil) != (modelErr == nil) {
			t.Fatalf("reader: %v, model: %v", err, modelErr)
		}
		var e *Fault
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(body))) {
			t.Fatalf("an error of a kind that should not be: %#v", err)
		}
		if err == nil {
			modelSum.Bytes = int64(len(body))
			sum.Skipped = Skipped{Shape: sum.Skipped.Rows()}
			if sum != modelSum {
				t.Fatalf("summary %+v, model %+v", sum, modelSum)
			}
			if got, want := strings.Join(rows, "\n"), strings.Join(modelRows, "\n"); got != want {
				t.Fatalf("rows\n%q\nmodel\n%q", got, want)
			}
		}
		rows = nil
		again, againErr := r.readTokens(iotest.OneByteReader(bytes.NewReader(body)), 0, time.UTC, add)
		want.Bytes, again.Bytes = 0, 0 // less of a refused body is read
		want.Skipped.First, again.Skipped.First = nil, nil
		if fmt.Sprint(err) != fmt.Sprint(againErr) || again != want || strings.Join(rows, "\n") != strings.Join(gotRows, "\n") {
			t.Fatalf("byte by byte the report differs: %v, %v", err, againErr)
		}
	})
}

// FuzzReadForensics is the same for the forensics report.
func FuzzReadForensics(f *testing.F) {
	addSeeds(f, "testdata/forensics.sample", "testdata/oauthtokens.sample")
	addRefusals(f, refusedForensics())
	for _, details := range []string{
		`null`, `{}`, `{"attack_types":[],"anomaly_types":null,"metrics":null}`,
		`{"attack_types":{"A":["x","y","x"],"B":null,"A":"q"},"anomaly_types":{"B":"shop","\ud83d\ude00":["all"]}}`,
		`{"x":[{}],"metrics":{"ip_list":[{"methods":{"GET":1}}],"total_requests":1,"token":"t"}}`,
		`{"attack_types":["a"]}`, `{"attack_types":{"A":[1]}}`,
	} {
		f.Add([]byte(`{"details":` + details + `,"name":"api_abs_token","summary":{"total_requests":1,"total_attacks":0,"total_anomalies":0}}`))
	}
	r := newTestReader()
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := r.readForensics(bytes.NewReader(body), 0, time.UTC)
		want, modelErr := modelForensics(body)
		if (err == nil) != (modelErr == nil) {
			t.Fatalf("reader: %v, model: %v", err, modelErr)
		}
		var e *Fault
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(body))) {
			t.Fatalf("an error of a kind that should not be: %#v", err)
		}
		if err == nil && forensicsText(got) != forensicsText(want) {
			t.Fatalf("reader\n%s\nmodel\n%s", forensicsText(got), forensicsText(want))
		}
		again, againErr := r.readForensics(iotest.OneByteReader(bytes.NewReader(body)), 0, time.UTC)
		if fmt.Sprint(err) != fmt.Sprint(againErr) || forensicsText(again) != forensicsText(got) {
			t.Fatalf("byte by byte the report differs: %v, %v", err, againErr)
		}
	})
}
