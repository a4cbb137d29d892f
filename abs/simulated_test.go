package abs_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/abs"
	"github.com/abs-exporter/abs-exporter/abs/simulator"
)

// The hint reports of the simulated ABS, whose writer shares no code with the reader.
func TestSimulatedHints(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	sim := simulator.New(simulator.Config{Now: func() time.Time { return now }, StaleAttackListEntries: 5000})
	attack := func(token, kind string, id int, apis ...string) simulator.Attack {
		return simulator.Attack{Token: token, Type: kind, ID: id, APIs: apis, From: now.Add(-2 * time.Hour)}
	}
	const odd = "token \"3\"\n\u00e9/+&"
	sim.AddAttack(
		attack("token-1", "Data Exfiltration Attack Type 1", 1, "shop"),
		attack("token-2", "Header Manipulation Attack", 37, "shop", "cards"),
		attack(odd, "API Memory Attack Type 2", 6, "shop"),
		attack("token-4", "Stolen Token Attack Type 2", 16),
	)
	w := abs.Window{From: now.Add(-3 * time.Hour), To: now}
	for _, user := range []abs.User{abs.Admin, abs.Restricted} {
		keys, told := abs.StaticKeys("abs_ak", "abs_sk"), func(token string) string { return token }
		if user == abs.Restricted {
			keys = abs.StaticKeys("abs_ak_ru", "abs_sk_ru")
			told = func(token string) string {
				sum := sha256.Sum256([]byte(token))
				return hex.EncodeToString(sum[:])
			}
		}
		client, err := abs.NewClient(abs.Config{
			URL: "https://abs.example.com:8080", User: user, Keys: keys, Rate: 1e6, Transport: sim.Transport(),
		})
		if err != nil {
			t.Fatal(err)
		}
		var listed []string
		stale := 0
		sum, err := client.AttackList(context.Background(), w, func(token []byte) error {
			if user == abs.Admin && strings.HasPrefix(string(token), "expired-") {
				stale++
				return nil
			}
			listed = append(listed, string(token))
			return nil
		})
		if err != nil || sum.Tokens != 5004 || sum.Lists != 1 || sum.Unread != 0 || user == abs.Admin && stale != 5000 {
			t.Errorf("%+v, %d stale, %v", sum, stale, err)
		}
		for _, token := range []string{"token-1", "token-2", odd, "token-4"} {
			if !slices.Contains(listed, told(token)) {
				t.Errorf("the attack list lacks %q", told(token))
			}
		}
		for api, want := range map[string][]string{
			"": {told("token-4") + "|Stolen Token Attack Type 2|all"},
			"shop": {
				told("token-1") + "|Data Exfiltration Attack Type 1|shop",
				told("token-2") + "|Header Manipulation Attack|shop",
				told(odd) + "|API Memory Attack Type 2|shop",
			},
			"cards":    {told("token-2") + "|Header Manipulation Attack|cards"},
			"payments": nil,
		} {
			var got []string
			sum, err := client.Attacks(context.Background(), w, api, func(h abs.FlaggedToken) error {
				got = append(got, fmt.Sprintf("%s|%s|%s", h.Token, h.AttackType, h.API))
				return nil
			})
			slices.Sort(got)
			slices.Sort(want)
			if err != nil || !slices.Equal(got, want) || sum.Tokens != int64(len(want)) {
				t.Errorf("attacks on %q: %q, %+v, %v; want %q", api, got, sum, err, want)
			}
		}
	}
}
