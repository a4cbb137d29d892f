package reports

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/abs-exporter/abs-exporter/abs/admin"
)

// adminText formats a report with a part a line; what is absent is not in it.
func adminText(a admin.Report) string {
	var b strings.Builder
	yes := func(name string, v *bool) {
		if v != nil {
			fmt.Fprintf(&b, " %s=%v", name, *v)
		}
	}
	number := func(name string, v *int64) {
		if v != nil {
			fmt.Fprintf(&b, " %s=%d", name, *v)
		}
	}
	date := func(name string, t time.Time) {
		if !t.IsZero() {
			fmt.Fprintf(&b, " %s=%s", name, t.UTC().Format(time.RFC3339))
		}
	}
	text := func(name, v string) {
		if v != "" {
			fmt.Fprintf(&b, " %s=%s", name, v)
		}
	}
	line := func(name string, more func()) {
		at := b.Len()
		b.WriteString(name)
		more()
		if b.Len() == at+len(name) {
			got := b.String()[:at]
			b.Reset()
			b.WriteString(got)
			return
		}
		b.WriteByte('\n')
	}
	line("license", func() {
		text("tier", a.License.Tier)
		date("expiry", a.License.Expiry)
		yes("expired", a.License.Expired)
		number("transactions", a.License.Transactions)
		number("max", a.License.MaxTransactions)
	})
	line("across", func() { yes("prediction", a.AcrossAPIs) })
	for _, p := range a.APIs {
		line("api "+p.Name, func() {
			text("type", p.Type)
			yes("tokens", p.TracksTokens)
			yes("prediction", p.Prediction)
			date("started", p.TrainingStarted)
			text("training", strings.TrimPrefix(p.Training.String(), "0s"))
			b.WriteByte(';')
		})
	}
	for _, n := range a.Nodes {
		line("node "+n.Name, func() {
			text("os", n.OS)
			number("cpus", n.CPUs)
			number("memory", n.Memory)
			if n.FilesystemUsed != nil {
				fmt.Fprintf(&b, " used=%.4g", *n.FilesystemUsed)
			}
			b.WriteByte(';')
		})
	}
	for _, m := range a.MongoDB {
		line("mongodb "+m.Name, func() {
			text("type", m.Type)
			yes("up", &m.Up)
		})
	}
	line("zone", func() { text("is", a.Timezone) })
	if a.Omitted > 0 {
		fmt.Fprintf(&b, "omitted %d\n", a.Omitted)
	}
	return b.String()
}

func readAdminText(body string, loc *time.Location) (string, error) {
	got, err := newTestReader().readAdmin(iotest.HalfReader(strings.NewReader(body)), 1<<30, loc)
	return adminText(got), err
}

// The samples of ABS's pages, which have licence and APIs. Nodes are as the pages describe them,
// with the values of the record in MongoDB that they show.
func TestPublishedAdminReports(t *testing.T) {
	for file, want := range map[string]string{
		"testdata/admin-4.4.sample": `license tier=Free expiry=2021-01-10T00:00:00Z expired=false transactions=30 max=0
across prediction=true
api atm_app_oauth type=regular tokens=false prediction=true started=2020-02-14T06:44:06Z training=1h0m0s;
api root_api type=regular tokens=true prediction=false;
node 2.2.2.2 os=Red Hat Enterprise Linux Server release 7.5 (Maipo) cpus=24 memory=66571993088 used=0.28;
mongodb 2.2.2.3 type=primary up=true
`,
		"testdata/admin-5.2.sample": `license tier=Subscription expiry=2024-01-01T00:00:00Z expired=false transactions=0 max=1000000000
across prediction=false
api rest_api_decoy_outcontext type=decoy-outcontext tokens=false prediction=false;
api rest_api type=regular tokens=false prediction=false started=2021-05-31T03:42:46Z training=20h0m0s;
node 2.2.2.2 os=CentOS Linux 7 cpus=24 memory=66571993088 used=0.28;
mongodb 2.2.2.3 type=primary up=true
mongodb 2.2.2.4 type=secondary up=false
zone is=utc
`,
	} {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := readAdminText(string(body), time.UTC); err != nil || got != want {
			t.Errorf("%s: %v\ngot\n%swant\n%s", file, err, got, want)
		}
	}
}

func TestToleratedAdminReports(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	api := func(members string) string { return `{"apis":[{"api_name":"a",` + members + `}]}` }
	node := func(members string) string { return `{"name":"api_admin","abs_nodes":[{"ip":"n",` + members + `}]}` }
	mongo := func(status string) string {
		return `{"name":"api_admin","mongodb_nodes":[{"ip":"m","status":` + status + `}]}`
	}
	for name, c := range map[string]struct{ body, want string }{
		"a name and nothing else":  {`{"name":"api_admin"}`, ""},
		"a byte order mark":        {"\ufeff" + `{"license_info":{"expired":true}}`, "license expired=true\n"},
		"no name":                  {`{"license_info":{"expired":true}}`, "license expired=true\n"},
		"null and other kinds":     {`{"name":"api_admin","license_info":null,"apis":{},"across_api_prediction_mode":[],"abs_nodes":null}`, ""},
		"apis that are none":       {`{"apis":[null,1,"a",[],{},{"api_name":null},{"api_name":""}]}`, ""},
		"numbers as texts":         {`{"license_info":{"max_transactions_per_month":"1000","current_month_transactions":"7","expired":"false"}}`, "license expired=false transactions=7 max=1000\n"},
		"numbers with an exponent": {`{"license_info":{"max_transactions_per_month":1e9,"current_month_transactions":2.0}}`, "license transactions=2 max=1000000000\n"},
		"numbers that are none":    {`{"license_info":{"max_transactions_per_month":-1,"current_month_transactions":"many","expired":"perhaps","expiry":"never","tier":7}}`, "license tier=7\n"},
		"past 2^53":                {`{"license_info":{"max_transactions_per_month":9007199254740994,"current_month_transactions":1.5}}`, ""},
		"unknown members":          {`{"x":[{"y":[[{}]]}],"license_info":{"x":{"expired":true}},"apis":[{"x":[],"api_name":"a"}],"scale_config":{"scale_up":{"cpu":"70%","memory":"1G"}}}`, "api a;\n"},
		"a name twice":             {`{"apis":[{"api_name":"a","token":true},{"api_name":"a","token":false}]}`, "api a tokens=true;\n"},
		"APIs in two members":      {`{"apis":[{"api_name":"a","token":true}],"apis":[{"api_name":"b"},{"api_name":"a"}]}`, "api a tokens=true;\napi b;\n"},
		"a raw line break, and bytes that are not UTF-8": {"{\"apis\":[{\"api_name\":\"a\nb\xff\"}]}", "api a\nb\uFFFD;\n"},
		"booleans in words":        {api(`"token":"Yes","prediction_mode":0`), "api a tokens=true prediction=false;\n"},
		"milliseconds as text":     {api(`"training_started_at":"1490088336493"`), "api a started=2017-03-21T09:25:36Z;\n"},
		"milliseconds":             {api(`"training_started_at":1490088336493`), "api a started=2017-03-21T09:25:36Z;\n"},
		"seconds":                  {api(`"training_started_at":1490088336`), "api a started=2017-03-21T09:25:36Z;\n"},
		"a day with one digit":     {api(`"training_started_at":"Sun Mar  1 06:44:06 UTC 2020"`), "api a started=2020-03-01T06:44:06Z;\n"},
		"a weekday that is wrong":  {api(`"training_started_at":"Mon Feb 14 06:44:06 GMT 2020"`), "api a started=2020-02-14T06:44:06Z;\n"},
		"a zone of the target":     {api(`"training_started_at":"Thu Dec 26 12:32:59 IST 2019"`), "api a started=2019-12-26T07:02:59Z;\n"},
		"a zone that is not known": {api(`"training_started_at":"Thu Dec 26 12:32:59 XYZT 2019"`), "api a started=2019-12-26T07:02:59Z;\n"},
		"a date of other reports":  {api(`"training_started_at":"Tue Feb 13 18:00:00:000 2018"`), "api a started=2018-02-13T12:30:00Z;\n"},
		"dates that are none":      {api(`"training_started_at":"Feb 30","training_duration":"soon"`), "api a;\n"},
		"durations":                {api(`"training_duration":"1 day, 2 hours 30 minutes"`), "api a training=26h30m0s;\n"},
		"durations that are none":  {api(`"training_duration":"24"`), "api a;\n"},
		"a node in numbers":        {node(`"cpu":8,"memory":1073741824,"filesystem":85`), "node n cpus=8 memory=1073741824 used=0.85;\n"},
		"units":                    {node(`"cpu":"8.0","memory":"3.5 GiB","filesystem":"12.5 %"`), "node n cpus=8 memory=3758096384 used=0.125;\n"},
		"megabytes":                {node(`"memory":"512MB"`), "node n memory=536870912;\n"},
		"a node without values":    {node(`"cpu":"n/a","memory":"lots","filesystem":"101%"`), ""},
		"a share without a sign":   {node(`"cpu":1,"filesystem":0.28`), "node n cpus=1;\n"},
		"nodes by their address":   {`{"name":"api_admin","cluster":{"nodes":{"10.0.0.1":{"cpu":"2"},"10.0.0.2":{"cpu":"4"}}}}`, "node 10.0.0.1 cpus=2;\nnode 10.0.0.2 cpus=4;\n"},
		"nodes without a name":     {`{"name":"api_admin","abs_nodes":[{"cpu":"2"},{"cpu":"4"},{"uuid":"u","cpu":"8"}]}`, "node 1 cpus=2;\nnode 2 cpus=4;\nnode u cpus=8;\n"},
		"an address before a name": {`{"name":"api_admin","abs_nodes":[{"node_ip":"n","host_name":"h","cpu":"2"},{"host_name":"h","ip":"m","cpu":"4"},{"host":"o","ip":"","cpu":"8"}]}`, "node n cpus=2;\nnode m cpus=4;\nnode o cpus=8;\n"},
		"nodes in a node":          {`{"name":"api_admin","cluster":{"node":[{"ip":"n","cpu":"2"},{"ip":"m","cpu":"4"}],"host":{"ip":"o","cpu":"8"}}}`, "node n cpus=2;\nnode m cpus=4;\nnode o cpus=8;\n"},
		"a node of ASE":            {`{"name":"api_admin","ase_nodes":[{"ip":"n","cpu":"2"}]}`, ""},
		"a node that is no node":   {`{"name":"api_admin","machine":{"cpu":"2"}}`, ""},
		"MongoDB's own states":     {mongo(`"SECONDARY"`), "mongodb m up=true\n"},
		"MongoDB down":             {mongo(`"(not reachable/healthy)"`), "mongodb m up=false\n"},
		"a state that is unknown":  {mongo(`"thinking"`), ""},
		"MongoDB's resources":      {`{"name":"api_admin","mongo":[{"ip":"m","cpu":"2","state":"up"}]}`, "mongodb m up=true\n"},
		"a zone at any depth":      {`{"name":"api_admin","config":[{"x":{"Time_Zone":"local"}}]}`, "zone is=local\n"},
		"the outermost zone":       {`{"name":"api_admin","a":{"availability_zone":"eu-1"},"timeZone":"Asia/Kolkata"}`, "zone is=Asia/Kolkata\n"},
		"the member named so":      {`{"name":"api_admin","timezone_offset":"+05:30","zone":"dmz","config":{"timezone":"Asia/Kolkata"},"zone_id":"7"}`, "zone is=Asia/Kolkata\n"},
		"zones that are no texts":  {`{"name":"api_admin","zone_enabled":true,"zones":3,"timezone":5.5,"config":{"server_zone":"utc"}}`, "zone is=utc\n"},
		"a zone that is none":      {`{"name":"api_admin","timezone":null,"zones":{"timezone":""}}`, ""},
	} {
		if got, err := readAdminText(c.body, kolkata); err != nil || got != c.want {
			t.Errorf("%s: %v\ngot\n%swant\n%s", name, err, got, c.want)
		}
	}
}

func refusedAdminReports() []refusal {
	return []refusal{
		{``, "abs: admin: the body is empty (byte 0)"},
		{`<html>cAnArY</html>`, "abs: admin: the answer is a web page (HTML or XML), not a report (byte 0)"},
		{`[{"name":"api_admin"}]`, "abs: admin: the answer is an array, not a report (byte 0)"},
		{`cAnArY`, "abs: admin: the answer is not JSON (byte 0)"},
		{`{}`, "abs: admin: nothing in the answer belongs to api_admin (byte 2)"},
		{`{"cAnArY":{"license_info":{}}}`, "abs: admin: nothing in the answer belongs to api_admin (byte 30)"},
		{`{"message":"cAnArY"}`, "abs: admin: ABS answered with a message instead of a report (byte 20)"},
		{`{"name":"oauth_token_metrics","apis":[]}`, "abs: admin: this is the report oauth_token_metrics, not api_admin (name, byte 8)"},
		{`{"name":"cAnArY"}`, "abs: admin: this is another report than api_admin (name, byte 8)"},
		{`{"name":7}`, "abs: admin: a string expected (name, byte 8)"},
		{`{"name":"api_admin"} cAnArY`, "abs: admin: something follows the report (byte 21)"},
		{`{"name":"api_admin","license_info":{"tier":"cAnArY`, "abs: admin: the body ends early (byte 50)"},
		{`{"name":"api_admin","apis":[{"api_name":cAnArY}]}`, "abs: admin: a value expected (byte 40)"},
		{`{"name":"api_admin","license_info":{"current_month_transactions":1-2}}`, "abs: admin: a number expected (byte 65)"},
		{`{"name":"api_admin","license_info":{"current_month_transactions":` + strings.Repeat("9", 70) + `}}`, "abs: admin: a number expected (byte 65)"},
		{`{"name":"api_admin","x":` + strings.Repeat(`[{"x":`, 40) + `1`, "abs: admin: values are nested deeper than 64 (byte 211)"},
		{`{"name":"api_admin","x":"` + strings.Repeat("x", admin.MaxBody), "abs: admin: the body is longer than an admin report can be (byte 16777216)"},
	}
}

func TestRefusedAdminReports(t *testing.T) {
	for _, c := range refusedAdminReports() {
		got, err := readAdminText(c.body, time.UTC)
		if err == nil || err.Error() != c.want || got != "" {
			t.Errorf("%.80s:\n got %v\nwant %s\n%s", c.body, err, c.want, got)
		}
	}
}

// However many APIs and nodes ABS reports, what is kept is bounded.
func TestAdminReportBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"name":"api_admin","apis":[{}`)
	for i := range 3000 {
		fmt.Fprintf(&b, `,{"api_name":"%d"}`, i)
	}
	b.WriteString(`],"abs_nodes":[{}`)
	for i := range 300 {
		fmt.Fprintf(&b, `,{"ip":"%d","cpu":"1"}`, i)
	}
	b.WriteString(`],"mongodb_nodes":[{}`)
	for i := range 300 {
		fmt.Fprintf(&b, `,{"ip":"%d","status":"up"}`, i)
	}
	b.WriteString(`]}`)
	got, err := newTestReader().readAdmin(strings.NewReader(b.String()), 1<<30, time.UTC)
	if err != nil || len(got.APIs) != 1000 || len(got.Nodes) != 100 || len(got.MongoDB) != 100 || got.Omitted != 2400 {
		t.Errorf("%d APIs, %d and %d nodes, %d omitted, %v", len(got.APIs), len(got.Nodes), len(got.MongoDB), got.Omitted, err)
	}
}

// BenchmarkAdminAPIs reads as many APIs as fit into a report.
func BenchmarkAdminAPIs(b *testing.B) {
	var body strings.Builder
	body.WriteString(`{"name":"api_admin","apis":[{}`)
	for i := 0; body.Len() < admin.MaxBody-100; i++ {
		fmt.Fprintf(&body, `,{"api_name":"%07d"}`, i)
	}
	body.WriteString(`]}`)
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if _, err := newTestReader().readAdmin(strings.NewReader(body.String()), 1<<30, time.UTC); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzReadAdmin holds the reader of the admin report against itself, on the same body in reads of
// one byte, and its results against the bounds.
func FuzzReadAdmin(f *testing.F) {
	addSeeds(f, "testdata/admin-4.4.sample", "testdata/admin-5.2.sample")
	addRefusals(f, refusedAdminReports())
	for _, seed := range []string{
		`{"name":"api_admin","mongo":{"a":{"state":"down"}},"nodes":[{"cpu":"24","memory":"62G","filesystem":"28%"}],"x":{"zone":"é"}}`,
		`{"license_info":{"expiry":"1490088336493","expired":"no"},"apis":[{"api_name":"a","training_duration":"1 day 2 hours"}]}`,
	} {
		f.Add([]byte(seed))
	}
	r := newTestReader()
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := r.readAdmin(bytes.NewReader(body), 1<<20, time.UTC)
		var e *Fault
		if err != nil && (!errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(body))) {
			t.Fatalf("an error of a kind that should not be: %#v", err)
		}
		if _, modelErr := parseTree(body); err == nil && modelErr != nil {
			t.Fatalf("this is no JSON, and was read: %q", body)
		}
		again, againErr := r.readAdmin(iotest.OneByteReader(bytes.NewReader(body)), 1<<20, time.UTC)
		if text := adminText(got); text != adminText(again) || fmt.Sprint(err) != fmt.Sprint(againErr) {
			t.Fatalf("byte by byte the report differs: %v, %v\n%s", err, againErr, text)
		}
		names := map[string]bool{}
		for _, a := range got.APIs {
			if a.Name == "" || names[a.Name] || a.Training < 0 {
				t.Fatalf("%+v", a)
			}
			names[a.Name] = true
		}
		for _, n := range got.Nodes {
			if n.Name == "" || n.FilesystemUsed != nil && !(*n.FilesystemUsed >= 0 && *n.FilesystemUsed <= 1) {
				t.Fatalf("%+v", n)
			}
		}
	})
}
