package metrics

import "fmt"

// Sample is a series with its current value. Values are integers because ABS counts; formats that
// have only floats hold them exactly up to 2^53, which the reader of reports enforces for each
// count. A family that is no integer has Family.Scale.
type Sample struct {
	Series *Series
	Value  int64
}

// Float returns the value as formats have it that have only floats.
func (s *Sample) Float() float64 {
	if scale := s.Series.family.Scale; scale != 0 {
		return float64(s.Value) / float64(scale)
	}
	return float64(s.Value)
}

// Block holds samples of one family, in the order in which they are exposed. Samples in the order
// of their tokens compress several times better than in any other order.
type Block struct {
	Family  *Family
	Samples []Sample
}

// Snapshot is everything that one target serves, as of one commit of a cycle. It must not be
// written to after it was published: scrapes and pushes read it at any time. A series may be in it
// once.
type Snapshot struct {
	Blocks []Block
	// Interim says that no cycle ended: only gauges changed since the snapshot before.
	Interim bool
}

// Len returns the number of samples.
func (s *Snapshot) Len() int {
	n := 0
	for i := range s.Blocks {
		n += len(s.Blocks[i].Samples)
	}
	return n
}

// Check returns an error if the snapshot violates what Publish(target, s) relies on: each series
// belongs to its block's family, has the target as its first label, and is there once. Its memory
// grows with the number of series, so it is for tests.
func (s *Snapshot) Check(target string) error {
	seen := make(map[string]bool, s.Len())
	for i := range s.Blocks {
		block := &s.Blocks[i]
		for j := range block.Samples {
			series := block.Samples[j].Series
			if series.family != block.Family {
				return fmt.Errorf("%s is in the block of %s", series, block.Family.Name)
			}
			for name, value := range series.Labels() {
				if name != LabelTarget || value != target {
					return fmt.Errorf("the first label of %s is not target %q", series, target)
				}
				break
			}
			if seen[series.String()] {
				return fmt.Errorf("%s is in the snapshot twice", series)
			}
			seen[series.String()] = true
		}
	}
	return nil
}
