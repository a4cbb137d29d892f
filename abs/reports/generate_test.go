package reports

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// generateTokens writes an oauthtokens report of the published shape and indentation: per token 1
// to 4 IPs and 2 to 16 URLs, tokens of 36 to 880 characters.
func generateTokens(tokens int, seed uint64) []byte {
	rnd := rand.New(rand.NewPCG(seed, 0))
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\n \"company\": \"ping identity\",\n \"name\": \"oauth_token_metrics\",\n \"description\": \"This report contains a summary and detailed oauth token\n  metrics across all APIs\",\n \"earlier_date\": \"Tue Feb 13 18:00:00:000 2018\",\n \"later_date\": \"Sun Feb 18 18:00:00:000 2018\",\n \"summary\": {\n \"tokens\": %d,\n \"total_requests\": 163250\n },\n \"details\": [\n", tokens)
	for t := range tokens {
		length := 36
		if rnd.IntN(2) == 1 {
			length += rnd.IntN(845)
		}
		token := make([]byte, length)
		for i := range token {
			token[i] = letters[rnd.IntN(len(letters))]
		}
		fmt.Fprintf(&out, " {\n \"token\": \"%s\",\n \"total_requests\": %d,\n \"ip_list\": [\n", token, rnd.IntN(100000))
		ips := 1 + rnd.IntN(4)
		for i := range ips {
			fmt.Fprintf(&out, " {\n \"ip\": \"10.%d.%d.%d\",\n \"total_requests\": %d,\n", rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(30000))
			member := func(name string, n int, key func(int) string, last bool) {
				entries := make([]string, n)
				for k := range entries {
					entries[k] = fmt.Sprintf(" %q: %d", key(k), rnd.IntN(10000))
				}
				end := ","
				if last {
					end = ""
				}
				fmt.Fprintf(&out, " %q: {\n%s\n }%s\n", name, strings.Join(entries, ",\n"), end)
			}
			member("devices", 1+rnd.IntN(2), func(k int) string { return [...]string{"UNKNOWN", "LINUX", "MAC_OS_X"}[k] }, false)
			member("methods", 1+rnd.IntN(4), func(k int) string { return [...]string{"GET", "POST", "PUT", "DELETE"}[k] }, false)
			member("urls", 2+rnd.IntN(15), func(int) string { return fmt.Sprintf("/%d_atm_app_oauth/resource%d", rnd.IntN(9), rnd.IntN(1000)) }, false)
			member("apis", 1+rnd.IntN(3), func(k int) string { return fmt.Sprintf("%d_atm_app_oauth", k) }, true)
			comma := ","
			if i == ips-1 {
				comma = ""
			}
			fmt.Fprintf(&out, " }%s\n", comma)
		}
		comma := ","
		if t == tokens-1 {
			comma = ""
		}
		fmt.Fprintf(&out, " ]\n }%s\n", comma)
	}
	out.WriteString(" ]\n}\n")
	return out.Bytes()
}
