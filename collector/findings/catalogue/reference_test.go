package catalogue

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/attack-types.md anew")

// TestReferenceIsCurrent: docs/attack-types.md is what the table makes of it.
func TestReferenceIsCurrent(t *testing.T) {
	const path = "../../../docs/attack-types.md"
	c := catalogue(t, nil)
	for _, e := range c.Entries() {
		if !strings.Contains(referenceHead, "| `"+e.Category+"` |") {
			t.Errorf("id %d: the reference doesn't say what %s is", e.ID, e.Category)
		}
	}
	got := reference(c)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not current: run make docs", path)
	}
}

// reference is docs/attack-types.md.
func reference(c *Catalogue) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	entries := c.Entries()

	p("<!-- Generated from collector/findings/catalogue/attack-types.yml by \"make docs\". Do not edit. -->")
	p("%s", referenceHead)
	p("## The types")
	p("")
	p("| id | name | found | for | category | severity | why | meaning |")
	p("|---|---|---|---|---|---|---|---|")
	for _, e := range entries {
		clients := strings.Join(e.Clients, ", ")
		if clients == "" {
			clients = "not published"
		}
		p("| %d | %s | %s | %s | `%s` | **%s** | %s | %s |", e.ID, e.Name, e.Scope, clients, e.Category, e.Severity, e.Why, e.Meaning)
	}
	p("")
	p("%s", referenceNames)
	p("| ABS's name | ids | the name finds |")
	p("|---|---|---|")
	several := shared(entries)
	for _, key := range slices.SortedFunc(maps.Keys(several), func(a, b string) int { return cmp.Compare(several[a][0], several[b][0]) }) {
		found, _ := c.Lookup(key)
		ids := make([]string, len(several[key]))
		for i, id := range several[key] {
			ids[i] = strconv.Itoa(id)
		}
		p("| %s | %s | %d |", found.Name, strings.Join(ids, ", "), found.ID)
	}
	p("")
	p("### Every other published spelling")
	p("")
	p("| id | name | also |")
	p("|---|---|---|")
	for _, e := range entries {
		if len(e.Aliases) > 0 {
			p("| %d | %s | `%s` |", e.ID, e.Name, strings.Join(e.Aliases, "`, `"))
		}
	}
	p("")
	b.WriteString(referenceSources)
	return b.String()
}

const referenceHead = `# Attack types

The attack types of ABS, with a severity for each. ` + "`abs_attack_type_info`" + ` has one series for every type that
another series names, and the log line of each detection has the severity too. To join the severity to the attacks:

` + "```" + `promql
abs_attack_tokens * on (target, attack_type) group_left (severity, category) abs_attack_type_info
` + "```" + `

**The severities are ours, not the vendor's.** No report of ABS has one. They follow one rule:

| severity | when | do |
|---|---|---|
| **critical** | somebody holds what isn't theirs, changes data, or takes a service down | act now |
| **warning** | an attempt, or harm that one client can do and one block ends | look the same day |
| **info** | unusual, and as often harmless | know it when something else is amiss |
| **unknown** | the type is not in this catalogue | look it up, and report it to this project |

A type that ABS finds over an extended period (mostly "Type 2") is as severe as the quick one. To change the severity of
a type, set it by name or by id with ` + "`--forensics.severity`" + ` ([configuration.md](configuration.md)). A name that matches
no type, and a severity other than critical, warning and info, are refused.

| category | what the attack is after |
|---|---|
| ` + "`abnormal_use`" + ` | nothing that ABS names: the use is out of the ordinary |
| ` + "`account_takeover`" + ` | to get into an account |
| ` + "`data_tampering`" + ` | to delete, change or add data |
| ` + "`data_theft`" + ` | to carry data or content off |
| ` + "`denial_of_service`" + ` | to make a service slow or unreachable |
| ` + "`probing`" + ` | to find a way in |
| ` + "`stolen_credentials`" + ` | to act with a token, cookie or key of somebody else |
`

const referenceNames = `The set is open, and ABS's pages do not name all of it: there are ids 30 and 50 to 53 (WebSocket), and 5.2 added types
for broken object and function level authorization and for token claims. A type that is not in the table is exposed
under ABS's name for it, with severity ` + "`unknown`" + ` and without id and category, and is logged once.

## Names

ABS spells its types differently from page to page and from report to report. A name is matched regardless of case,
spaces, line breaks, dashes and underscores, and with or without the word "attack"; otherwise it must be one of the
spellings here. The label ` + "`attack_type`" + ` keeps ABS's own spelling. A name without a type number is matched to Type 1 only
where ABS itself uses it for Type 1 ("API DoS Attack" is 12, not 9).

### One name for several types

ABS distinguishes these types by id, not by name. The exporter reads the reports of tokens, so such a name stands for
the type that ABS lists for tokens; the label ` + "`id`" + ` has its id. An override by such a name changes that type; the
other types can be overridden by id.
`

const referenceSources = `## Where this comes from

The vendor's pages, as published for 4.4 to 5.2; nothing here was seen on a running ABS. A running one lists its own
types: ` + "`GET /v4/abs/attackstatus`" + `.

- Names, ids, scopes: [REST API attack types](https://docs.pingidentity.com/r/imVcltqlnN22jNnTzJUmCA/MVRH6EkTrJfo3pYG5WQfaw)
- Clients and meanings (in our words), more spellings: attacks by
  [token](https://docs.pingidentity.com/r/en-us/pingintelligence-44/mmv1564008973137),
  [cookie](https://docs.pingidentity.com/r/en-us/pingintelligence-44/xkg1564008973075),
  [IP address](https://docs.pingidentity.com/r/en-us/pingintelligence-44/pko1564008973191),
  [API key](https://docs.pingidentity.com/r/en-us/pingintelligence-44/koz1564008973021) and
  [username](https://docs.pingidentity.com/r/en-us/pingintelligence-44/kqk1564008972968);
  found by ASE in real time: [decoys](https://docs.pingidentity.com/pingintelligence/latest/pingintelligence_reference_guide/pingintelligence_deception_decoy_api.html),
  [invalid activity](https://docs.pingidentity.com/pingintelligence/latest/pingintelligence_reference_guide/pingintelligence_detected_attacks_inline_ase.html)
- Spellings of thresholds: [ranges](https://docs.pingidentity.com/pingintelligence/latest/pingintelligence_reference_guide/pingintelligence_threshold_range_tn_tx.html),
  [GET](https://docs.pingidentity.com/pingintelligence/latest/pingintelligence_reference_guide/pingintelligence_get_threshold.html),
  [PUT](https://docs.pingidentity.com/pingintelligence/5.2/pingintelligence_reference_guide/pingintelligence_put_threshold.md)
- Spellings in reports: the sample answers of token, API key and cookie forensics, and of the anomaly and attack reports
- Inferred, not stated: ` + "`api_memory_post` and `api_memory_put` are 5 and 6; `extended_stolen_access_token`" + ` is 16
`
