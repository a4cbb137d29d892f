package planner

import (
	"testing"
	"time"

	"github.com/abs-exporter/abs-exporter/collector/tokenid"
)

// The oldest answer is from one round ago, or up to one sector before.
func TestCursorOldest(t *testing.T) {
	const steps = 1 << 16 // a round
	start := time.Unix(1e9, 0)
	c := cursor{at: 1 << 50} // not at the start of a sector
	for i := range 3 * steps {
		at := start.Add(time.Duration(i) * time.Second)
		c.pass(c.at+1<<48-1, at)
		c.pass(c.at-1<<48, at) // a late answer, behind the cursor
		oldest := c.oldest()
		if i < steps && !oldest.IsZero() {
			t.Fatalf("step %d: an oldest answer in the first round: %v", i, oldest)
		}
		const inSector = steps >> sectorBits
		if age := int(at.Sub(oldest).Seconds()); i > steps+inSector && (age < steps || age > steps+inSector) {
			t.Fatalf("step %d: the oldest answer is from %d steps ago, a round has %d", i, age, steps)
		}
	}
	if want := tokenid.ID(1 << 50); c.at != want {
		t.Errorf("cursor at %v after three rounds, want %v", c.at, want)
	}
}
