package alerts

import (
	"reflect"
	"testing"
)

// An alert needs what its expression has, what its annotations show, and what is recorded of both.
func TestNeeding(t *testing.T) {
	all := []rule{
		{Record: "target:abs_x:rate", Expr: "rate(abs_x_total[5m])"},
		{Record: "target:abs_x:usual", Expr: "target:abs_x:rate offset 1w"},
		{Alert: "ABSRecorded", Expr: "target:abs_x:rate > 2 * target:abs_x:usual"},
		{Alert: "ABSByItself", Expr: "abs_x_total == 0"},
		{Alert: "ABSShows", Expr: "abs_up == 0", Annotations: map[string]string{"description": `{{ query "abs_x_total" }}`}},
		{Alert: "ABSOther", Expr: "abs_x_total_of_others > 0 and my_abs_x_total > 0 and target:abs_x_total > 0"},
	}
	if got, want := needingOne("abs_x_total", all), []string{"ABSByItself", "ABSRecorded", "ABSShows"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	// The rules that the binary carries are all read.
	want := map[string][]string{"abs_license_expired": {"ABSLicenseExpired"}, "abs_api_requests_total": {"ABSAPINotTrained", "ABSAPISilent", "ABSAPITrafficHigh"}}
	if got := Needing([]string{"abs_license_expired", "abs_api_requests_total", "abs_nothing"}); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
