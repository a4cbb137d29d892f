package metrics

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
// written to after it was published: scrapes and pushes read it at any time. A series is of its
// block's family, has the target as its first label, and is in the snapshot once.
type Snapshot struct {
	Blocks []Block
	Labels *OwnLabels // of the target, on all of its series
	// Interim says that no cycle ended: only gauges changed since the snapshot before.
	Interim bool
}
