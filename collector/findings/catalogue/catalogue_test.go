package catalogue

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestPublishedSpellings: every spelling that ABS's pages and sample answers have for a
// type finds it. Listed here anew, by where it was published, and not taken from the table.
func TestPublishedSpellings(t *testing.T) {
	published := map[string]map[string]int{
		"list of REST API attack types": {
			"Data Exfiltration Attack Type 1": 1, "Single Client Login Attack Type 1": 2, "Multi-Client Login Attack": 3,
			"Stolen Token Attack Type 1": 4, "Stolen Token Attack Type 1 (Token)": 4,
			"Stolen Cookie Attack Type 1": 4, "Stolen Cookie Attack Type 1 (Cookie)": 4,
			"API Memory Attack Type 1": 5, "API Memory Attack Type 2": 6, "Cookie DoS Attack": 7,
			"API Probing Replay Attack Type 1": 8, "API DDoS Attack Type 1": 9, "Extreme Client Activity Attack": 10,
			"Extreme App Activity Attack": 11, "API DoS Attack": 12, "API DDoS Attack Type 2": 13,
			"Data Deletion Attack": 14, "Data Poisoning Attack": 15, "Stolen Token Attack Type 2": 16,
			"Stolen Cookie Attack Type 2": 17, "API Probing Replay Attack Type 2": 19, "Data Exfiltration Attack Type 2": 21,
			"Excessive Client Connections": 23, "Content Scraping Type 1": 26, "Content Scraping Type 2": 28,
			"Unauthorized Client Attack": 29, "Stolen API Key Attack": 31, "Sequence Attack": 36,
			"Header Manipulation Attack": 37, "Abnormal API Access": 38, "User Data Exfiltration Type 2": 39,
			"User Data Injection": 40, "Query Manipulation Attack": 41, "Decoy Attack": 100, "Invalid API Activity": 101,
		},
		"pages on token, cookie, IP, API key and username attacks": {
			"Data Exfiltration Attack": 1, "Stolen Access Token Attack": 4, "Stolen Cookie Attack": 4,
			"API Probing Replay Attack": 8, "Extreme App Activity": 11, "Data Deletion": 14, "Data Poisoning": 15,
			"API Probing Replay Type 2": 19, "Header Manipulation": 37,
		},
		"page on thresholds": {
			"Data Exfiltration": 1, "Single Client Login": 2, "Multi Client Login": 3, "Stolen Cookie / Access Token": 4,
			"Cookie DoS": 7, "API Probing Replay": 8, "API DoS Attack Type 1": 9, "Extreme Client Activity": 10,
			"API Probing Replay Attack 2 (client identifier: cookie)":     18,
			"API Probing Replay Attack 2 (client identifier: token)":      19,
			"API Probing Replay Attack 2 (client identifier: IP address)": 20,
		},
		"token forensics":   {"API Memory Attack Type 1": 5, "Data Poisoning Attack": 15},
		"API key forensics": {"Stolen API Key Attack- Per API Key": 31},
		"anomalies across APIs": {
			"Stolen API Key Attack - Per API Key": 31, "Probing Replay Attack - API Key": 32,
			"Extended Probing Replay Attack - API key": 33, "Account Takeover Attack Type 1 - Username": 34,
			"Account Takeover Attack Type 2 - Username": 35,
		},
		"anomalies of an API": {
			"API Memory Attack Type 2": 6, "Data Exfiltration Attack": 1, "Cookie DoS Attack": 7, "Extreme Client Activity Attack": 10,
		},
		"attack report": {
			"Data Exfiltration Attack": 1, "API Probing Replay Attack": 8, "Stolen Token Attack Type 2": 16,
			"Data Exfiltration": 1, "Invalid API Activity": 101, "Decoy Attack": 100,
		},
		"cookie forensics": {"data_exfiltration_attack": 1, "cookie_dos_attack": 7, "extreme_client_activity_attack": 10},
		"threshold report": {
			"data_exfiltration_attack": 1, "single_client_login_attack": 2, "extended_stolen_access_token": 16,
			"api_memory_post": 5, "api_memory_put": 6, "extended_probing_replay_cookie": 18,
		},
		"Splunk event": {"Extreme App Activity": 11},
	}
	c := catalogue(t, nil)
	known := map[string]bool{}
	for where, spellings := range published {
		for name, id := range spellings {
			known[name] = true
			if e, ok := c.Lookup(name); !ok || e.ID != id {
				t.Errorf("%s: Lookup(%q) is %d (found: %t), want %d", where, name, e.ID, ok, id)
			}
		}
	}
	for _, e := range c.Entries() {
		for _, name := range e.spellings() {
			if !known[name] {
				t.Errorf("id %d: where is %q published?", e.ID, name)
			}
		}
	}
}

// TestSpellingsDrift: case, spaces, dashes, underscores, line breaks and the word "attack"
// make no difference to any spelling of the table.
func TestSpellingsDrift(t *testing.T) {
	drifts := map[string]func(string) string{
		"upper case":      strings.ToUpper,
		"lower case":      strings.ToLower,
		"snake case":      func(s string) string { return strings.ToLower(strings.ReplaceAll(s, " ", "_")) },
		"dashes":          func(s string) string { return strings.ReplaceAll(s, " ", "-") },
		"en dashes":       func(s string) string { return strings.ReplaceAll(s, " ", " – ") },
		"line breaks":     func(s string) string { return strings.ReplaceAll(s, " ", "\r\n  ") },
		"hard spaces":     func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") },
		"space around":    func(s string) string { return "\t " + s + " \n" },
		"attack at end":   func(s string) string { return s + " Attack" },
		"no attack":       func(s string) string { return strings.ReplaceAll(s, " Attack", "") },
		"dash, no spaces": func(s string) string { return strings.ReplaceAll(s, " - ", "-") },
	}
	c := catalogue(t, nil)
	for _, e := range c.Entries() {
		for _, name := range e.spellings() {
			want, _ := c.Lookup(name)
			for drift, f := range drifts {
				if got, ok := c.Lookup(f(name)); !ok || got.ID != want.ID {
					t.Errorf("%s: Lookup(%q) is %d, want %d as for %q", drift, f(name), got.ID, want.ID, name)
				}
			}
		}
	}
}

func TestUnknownNames(t *testing.T) {
	c := catalogue(t, nil)
	for _, name := range []string{
		"", " ", "Attack", "attack attack", "-_-",
		"BOLA Attack", "Data Exfiltration Attack Type 3", "Data Exfiltration Attack Type", "Type 1", "1", "0",
		"DataExfiltrationAttack", "Data Exfiltration Attacks", "Counterattack",
		`Sequence "Attack"`, `"Sequence Attack"`, "Sequence\nAttack\nof another kind", "a\"b\\c\r\n\x00",
		"Попытка взлома API", "序列攻击", "Sеquence Attack", // the first e is Cyrillic
		"\xff\xfe", "Sequence Attack\xff", "Sequence Attack\u200b",
		strings.Repeat("x", 10_000), "Sequence Attack" + strings.Repeat(" ", 10_000), strings.Repeat("Attack ", 2_000),
	} {
		got, ok := c.Lookup(name)
		if want := (Entry{Name: name, Severity: Unknown}); ok || !reflect.DeepEqual(got, want) {
			t.Errorf("Lookup(%.60q) is %+v, %t", name, got, ok)
		}
	}
}

func TestOverrides(t *testing.T) {
	severities := func(c *Catalogue) map[int]string {
		all := map[int]string{}
		for _, e := range c.Entries() {
			all[e.ID] = e.Severity
		}
		return all
	}
	for name, test := range map[string]struct {
		overrides map[string]string
		want      map[int]string // those that differ from before
	}{
		"none":                 {nil, nil},
		"by name":              {map[string]string{"Sequence Attack": "critical"}, map[int]string{36: Critical}},
		"by alias":             {map[string]string{"data_exfiltration_attack": "info"}, map[int]string{1: Info}},
		"by id":                {map[string]string{"36": "info", "101": "warning"}, map[int]string{36: Info, 101: Warning}},
		"shared name":          {map[string]string{"API Probing Replay Attack Type 2": "info"}, map[int]string{19: Info}},
		"its namesakes by id":  {map[string]string{"35": "warning", "18": "info"}, map[int]string{35: Warning, 18: Info}},
		"name and id agree":    {map[string]string{"36": "info", "SEQUENCE": "info"}, map[int]string{36: Info}},
		"to what it is anyway": {map[string]string{"1": "critical"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := catalogue(t, test.overrides)
			want := severities(catalogue(t, nil))
			maps.Copy(want, test.want)
			if got := severities(c); !maps.Equal(got, want) {
				t.Errorf("got %v\nwant %v", got, want)
			}
			for key, severity := range test.overrides {
				if e, ok := c.Lookup(key); ok && (e.Severity != severity || e.Why != "the configuration says so") {
					t.Errorf("Lookup(%q) has severity %s, because %s; want %s", key, e.Severity, e.Why, severity)
				}
			}
		})
	}
}

func TestRefusedOverrides(t *testing.T) {
	const notThere = "is not in the catalogue: give a name or an id that docs/attack-types.md lists"
	for name, test := range map[string]struct {
		overrides map[string]string
		want      string
	}{
		"unknown name":         {map[string]string{"Data Exfil": "info"}, `attack type "Data Exfil" ` + notThere},
		"unknown id":           {map[string]string{"30": "info"}, `attack type "30" ` + notThere},
		"zero":                 {map[string]string{"0": "info"}, `attack type "0" ` + notThere},
		"negative":             {map[string]string{"-1": "info"}, `attack type "-1" ` + notThere},
		"empty":                {map[string]string{"": "info"}, `attack type "" ` + notThere},
		"only attack":          {map[string]string{"attack": "info"}, `attack type "attack" ` + notThere},
		"line break":           {map[string]string{"a\nb": "info"}, `attack type "a\nb" ` + notThere},
		"long":                 {map[string]string{strings.Repeat("x", 10_000): "info"}, `attack type "` + strings.Repeat("x", 80) + `"… ` + notThere},
		"long, another script": {map[string]string{strings.Repeat("攻", 50): "info"}, `attack type "` + strings.Repeat("攻", 26) + `"… ` + notThere},
		"no severity":          {map[string]string{"36": ""}, `attack type "36": "" is no severity: give critical, warning or info`},
		"unknown severity":     {map[string]string{"36": "high"}, `attack type "36": "high" is no severity: give critical, warning or info`},
		"other case":           {map[string]string{"36": "Info"}, `attack type "36": "Info" is no severity: give critical, warning or info`},
		"severity unknown":     {map[string]string{"36": "unknown"}, `attack type "36": "unknown" is no severity: give critical, warning or info`},
		"contradiction": {
			map[string]string{"36": "info", "Sequence Attack": "critical"},
			`attack types "36" and "Sequence Attack" are both id 36, but their severities are info and critical: give one`,
		},
		"several, in order": {
			map[string]string{"z": "info", "36": "high", "a": "info", "1": "info"},
			`attack type "36": "high" is no severity: give critical, warning or info` + "\n" +
				`attack type "a" ` + notThere + "\n" + `attack type "z" ` + notThere,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(test.overrides)
			if c != nil || err == nil || err.Error() != test.want {
				t.Errorf("got %v, %v\nwant %s", c, err, test.want)
			}
		})
	}
}

// TestCopies: what a caller does to an entry changes nothing for the next.
func TestCopies(t *testing.T) {
	c := catalogue(t, nil)
	all := c.Entries()
	one, _ := c.Lookup("Data Exfiltration")
	all[0].Severity, all[0].Aliases[0], one.Aliases[1], one.Clients[0] = "", "x", "y", "z"
	again, _ := catalogue(t, nil).Lookup("Data Exfiltration")
	if got, _ := c.Lookup("Data Exfiltration"); !reflect.DeepEqual(got, again) {
		t.Errorf("changed to %+v", got)
	}
}

func FuzzLookup(f *testing.F) {
	c, err := New(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range c.Entries() {
		f.Add(e.Name)
	}
	for _, s := range []string{"", "attack_-\u2013\u00a0", "Stolen API Key Attack- Per API Key", "a\"b\n", "\xff", "İKß", strings.Repeat("x", maxName+1)} {
		f.Add(s)
	}
	spelled := map[string][]int{} // a folded spelling to the ids that it may find
	for _, e := range c.Entries() {
		for _, s := range e.spellings() {
			spelled[fold(s)] = append(spelled[fold(s)], e.ID)
		}
	}
	f.Fuzz(func(t *testing.T, name string) {
		key := fold(name)
		if again := fold(key); again != key {
			t.Errorf("fold(%q) is %q, and that folds to %q", name, key, again)
		}
		e, ok := c.Lookup(name)
		switch ids := spelled[key]; {
		case len(name) > maxName || ids == nil:
			if ok || !reflect.DeepEqual(e, Entry{Name: name, Severity: Unknown}) {
				t.Errorf("Lookup(%q) is %+v, %t; want unknown", name, e, ok)
			}
		case !ok || !slices.Contains(ids, e.ID):
			t.Errorf("Lookup(%q) is %d, %t; want one of %v", name, e.ID, ok, ids)
		}
	})
}

func catalogue(t *testing.T, overrides map[string]string) *Catalogue {
	t.Helper()
	c, err := New(overrides)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
