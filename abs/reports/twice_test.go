package reports

import "testing"

// A name that comes twice in a map is added up once each, never more: the row's own total says how
// many requests there were. A type of attack that comes twice is one, with the APIs of both.
func TestNamesThatComeTwice(t *testing.T) {
	for body, want := range map[string]string{
		`{"token":"a","total_requests":3,"ip_list":[{"methods":{"GET":1,"GET":2}}]}`:                                                           "a 3 ips[] methods[GET=1 GET=2] apis[] devices[]",
		`{"token":"a","total_requests":3,"ip_list":[{"apis":{"shop":1,"sh\u006fp":2}}]}`:                                                       "a 3 ips[] methods[] apis[shop=1 shop=2] devices[]",
		`{"token":"a","total_requests":3,"ip_list":[{"ip":"x","total_requests":1},{"ip":"x","total_requests":2}]}`:                             "a 3 ips[x=1 x=2] methods[] apis[] devices[]",
		`{"token":"a","total_requests":3,"x":1,"x":2,"ip_list":[{"ip":"x","y":1,"y":{},"devices":{"LINUX":1},"total_requests":3}]}`:            "a 3 ips[x=3] methods[] apis[] devices[LINUX=1]",
		`{"token":"a","total_requests":3,"total_requests ":4,"Total_Requests":5,"TOKEN":"b","ip_list":[{"ip":"x","total_requests":3}]}`:        "a 3 ips[x=3] methods[] apis[] devices[]",
		`{"token":"a","total_requests":3,"ip_list":[{"ip":"x","total_requests":3},{"ip":"x"},{"ip":"x","total_requests":0},{"ip":"y\u0000"}]}`: "a 3 ips[x=3 x=0 x=0 y\x00=0] methods[] apis[] devices[]",
	} {
		rows, sum, err := tokensText(inRow(body))
		if err != nil || len(rows) != 1 || rows[0] != want || sum.RowRequests != 3 || sum.Skipped.Rows() != 0 {
			t.Errorf("%s\n got %q %+v %v\nwant %q", body, rows, sum, err, want)
		}
	}
}
