package reports

import (
	"fmt"
	"testing"
)

// long marks a test of megabytes, in which the race detector has nothing to find: make test runs it
// without.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("reads megabytes of reports")
	}
}

// A busy address among many others keeps its requests, wherever it stands and however thinly
// its requests are spread; and no request is lost or counted twice.
func TestBusyNamesRemain(t *testing.T) {
	long(t)
	const crowd = 300_000
	for _, c := range []struct {
		name  string
		every int // a count of the busy address comes after each of so many others; 0: once
		at    int
		n     int64
		least int64
	}{
		{"first", 0, 0, 50, 50},
		{"in the middle", 0, crowd / 2, 50, 50},
		{"last", 0, crowd - 1, 50, 50},
		{"spread", 1000, 0, 50, 15_000},
		// At most two in keptNames of all requests are missing.
		{"spread thinly", 50, 0, 1, crowd/50 - (3*crowd+crowd/50)*2/keptNames},
	} {
		for _, limit := range []int{10, crowd} { // distinct others
			r := newTestReader()
			r.clearRow()
			var busy int64
			for i := range crowd {
				r.add(ips, Count{r.keep(fmt.Appendf(nil, "10.%d", i%limit)), 3})
				if i == c.at && c.every == 0 || c.every > 0 && i%c.every == 0 {
					r.add(ips, Count{r.keep([]byte("192.0.2.1")), c.n})
					busy += c.n
				}
			}
			counts := r.names[ips].take()
			sum, total := sumOf(counts), 3*crowd+busy
			least := c.least
			if limit == 10 {
				least = busy // nothing folds
			}
			if got := countIn(counts, "192.0.2.1"); got < least || got > busy || sum != total {
				t.Errorf("%s among %d: %d requests, want %d to %d; all are %d, want %d", c.name, limit, got, least, busy, sum, total)
			}
			if other := countIn(counts, Other); len(counts) > maxNames || (other > 0) != (limit == crowd) {
				t.Errorf("%s among %d: %d counts, %d requests under Other", c.name, limit, len(counts), other)
			}
		}
	}
}

// Past their bounds the APIs of findings fold before the types do.
func TestFindingsFold(t *testing.T) {
	l := findingList{index: map[string]int{}, known: map[pair]struct{}{}}
	for i := range 2 * maxPairs {
		l.add(l.typeOf([]byte("flood")), fmt.Append(nil, i))
	}
	l.add(l.typeOf([]byte("late")), []byte("shop"))
	if len(l.all) != 2 || len(l.all[0].APIs) != maxPairs+1 || l.all[0].APIs[maxPairs] != Other || fmt.Sprint(l.all[1]) != "{late [_other]}" {
		t.Errorf("%d types, %d APIs, %v", len(l.all), len(l.all[0].APIs), l.all[1])
	}
	for i := range 2 * maxTypes {
		l.add(l.typeOf(fmt.Append(nil, i)), []byte("shop"))
	}
	if len(l.all) != maxTypes+1 || fmt.Sprint(l.all[maxTypes]) != "{_other [_other]}" {
		t.Errorf("%d types, %v", len(l.all), l.all[len(l.all)-1])
	}
}

func sumOf(counts []Count) (sum int64) {
	for _, c := range counts {
		sum += c.N
	}
	return sum
}
