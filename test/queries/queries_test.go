package queries

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, tc := range []struct{ expr, wrong string }{
		{`sum by (api) (increase(abs_api_requests_total{api!="_other"}[1h]))`, ""},
		{`abs_attack_tokens * on (target, attack_type) group_left (severity, category) abs_attack_type_info`, ""},
		{`histogram_quantile(0.9, sum by (le, report) (rate(abs_exporter_report_duration_seconds_bucket[5m])))`, ""},
		{`histogram_quantile(0.9, sum by (report) (rate(abs_exporter_report_duration_seconds[5m])))`, ""},
		{`absent(abs_exporter_build_info)`, ""},
		{`count(abs_token_requests_total)`, ""},
		{`abs_up unless on (target) abs_requests_total`, ""},
		{`max_over_time(increase(abs_requests_total[30m])[1d:5m])`, ""},
		{`up{job="abs"} == 0`, ""},
		{`target_api:abs_api_requests:increase1h{api="shop"} > scalar(abs:threshold_api_traffic_ratio)`, ""},
		{`abs_exporter_slots{state=~"open|pending", job="x"}`, ""},
		{`increase((abs_requests_total[1h]))`, ""},
		{`last_over_time(abs_requests_total[1h]) - last_over_time(abs_requests_total[1h] offset 1h) unless resets(abs_requests_total[1h]) > 0`, ""},

		{`sum(abs_requests`, "is no PromQL"},
		{`abs_requests`, "there is no metric abs_requests"},
		{`{target="a"}`, "does not name its metric"},
		{`{__name__=~"abs_.*"}`, "does not name its metric"},
		{`abs_flagged_tokens{api="shop"}`, "has no label api"},
		{`abs_exporter_slots{state="closed"}`, `has no state="closed"`},
		{`abs_exporter_slots{state=~"open|closed"}`, `has no state="closed"`},
		{`abs_exporter_slots{state!="closed"}`, `has no state="closed"`},
		{`abs_exporter_slots{state=~"clo.+"}`, `has no state that matches "clo.+"`},
		{`abs_attack_type_info{severity="page"}`, `has no severity="page"`},
		{`sum by (api) (abs_token_window_requests)`, "groups by api, which nothing in it has"},
		{`sum without (api) (abs_token_window_requests)`, "groups by api, which nothing in it has"},
		{`sum by (job) (sum by (target) (abs_up))`, "groups by job, which nothing in it has"},
		{`abs_attack_tokens * on (target, token) group_left () abs_token_window_requests`, "joined on token, which only one side has"},
		{`abs_attack_tokens * on (target, attack_type) group_left (api) abs_attack_type_info`, "include api from a side"},
		{`abs_up + ignoring (api) abs_window_seconds`, "ignores api, which neither side has"},
		{`target_api:abs_api_requests:increase1h{token="a"}`, "has no label token"},
		{`rate(abs_window_requests[5m])`, "rate of the gauge abs_window_requests"},
		{`increase(abs_attack_tokens[5m:1m])`, "increase of the gauge abs_attack_tokens"},
		{`delta(abs_requests_total[1h])`, "delta of the counter abs_requests_total"},
		{`abs_requests_total`, "the counter abs_requests_total without"},
		{`sum(abs_requests_total)`, "the counter abs_requests_total without"},
		{`abs_requests_total > 0`, "the counter abs_requests_total without"},
		{`abs_requests_total and on (target) abs_up`, "the counter abs_requests_total without"},
		{`last_over_time(abs_requests_total[1h]) - last_over_time(abs_requests_total[1h] offset 1h)`, "the counter abs_requests_total without"},
		{`last_over_time(abs_requests_total[1h]) - last_over_time(abs_window_requests[1h]) unless resets(abs_requests_total[1h]) > 0`, "the counter abs_requests_total without"},
		{`last_over_time(abs_requests_total[1h]) unless resets(abs_requests_total[1h]) > 0`, "the counter abs_requests_total without"},
		{`max_over_time(abs_requests_total[1h])`, "the counter abs_requests_total without"},
		{`abs_exporter_cycle_duration_seconds_count`, "the counter abs_exporter_cycle_duration_seconds_count without"},
		{`rate(sum(abs_requests_total)[5m:1m])`, "the counter abs_requests_total without"},
		{`label_replace(abs_up, "a", "$1", "api", "(.*)")`, "label_replace reads api"},
	} {
		err := Check(tc.expr)
		switch {
		case tc.wrong == "" && err != nil:
			t.Errorf("Check(%s) = %v", tc.expr, err)
		case tc.wrong != "" && (err == nil || !strings.Contains(err.Error(), tc.wrong)):
			t.Errorf("Check(%s) = %v; want %q", tc.expr, err, tc.wrong)
		}
	}
}

func TestLabels(t *testing.T) {
	for expr, want := range map[string]string{
		`sum by (target, api) (increase(abs_api_requests_total[1h]))`: "api target",
		`abs_up`:                   "instance job target",
		`sum(abs_up) or vector(0)`: "",
		`sum by (target, attack_type, api) (abs_attack_tokens) * on (target, attack_type) group_left (severity) abs_attack_type_info`: "api attack_type severity target",
		`absent(up{job="abs"})`: "job",
	} {
		got, err := Labels(expr)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("Labels(%s) = %q, %v; want %q", expr, got, err, want)
		}
	}
}
