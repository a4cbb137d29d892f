package abs

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAttackReportRequests(t *testing.T) {
	const (
		list    = `{"ips":["1.1.1.1"],"oauth_tokens":["token1","token2","token3"]}`
		attacks = `[{"name":"api_attack_type","attack_type":"A","api_name":"all","access_tokens":[{"access_token":"x"},{"access_token":"y"}]}]`
	)
	var uris []string
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		uris = append(uris, r.Method+" "+r.RequestURI+" "+r.Header.Get("x-abs-ak-ru"))
		if strings.HasSuffix(r.URL.Path, "list") {
			_, _ = io.WriteString(w, list)
			return
		}
		_, _ = io.WriteString(w, attacks)
	})
	c := trusting(t, server)
	c.User = Restricted
	var calls []Call
	c.Observe = func(call Call) { calls = append(calls, call) }
	client := mustClient(t, c)
	n := 0
	listed, err := client.AttackList(context.Background(), hour, func([]byte) error { n++; return nil })
	if err != nil || n != 3 || listed.Tokens != 3 {
		t.Errorf("%+v %v", listed, err)
	}
	for _, api := range []string{"", "cAnArY &?é/"} {
		sum, err := client.Attacks(context.Background(), hour, api, func(FlaggedToken) error { n++; return nil })
		if err != nil || sum.Tokens != 2 {
			t.Errorf("%+v %v", sum, err)
		}
	}
	dates := "?later_date=2026-11-23T08:00&earlier_date=2026-11-23T07:00"
	want := []string{
		"GET /v4/abs/attacklist" + dates + " " + accessKey,
		"GET /v4/abs/attack" + dates + "&type=0 " + accessKey,
		"GET /v4/abs/attack" + dates + "&api=cAnArY%20%26%3F%C3%A9%2F&type=0 " + accessKey,
	}
	if !slices.Equal(uris, want) {
		t.Errorf("asked\n%q\nwant\n%q", uris, want)
	}
	if len(calls) != 3 || calls[0].Report != "attacklist" || calls[1].Report != "attack" || calls[0].Bytes != int64(len(list)) || calls[0].Err != nil {
		t.Errorf("observed %+v", calls)
	}
	if _, err := client.Attacks(context.Background(), Window{hour.To, hour.From}, "cAnArY", nil); ReasonOf(err) != ReasonOther {
		t.Errorf("%v", err)
	} else {
		checkQuiet(t, err)
	}
}
