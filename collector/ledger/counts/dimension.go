package counts

import "github.com/abs-exporter/abs-exporter/metrics"

// Dimension is one way in which ABS splits the requests of a token.
type Dimension uint8

// The dimensions. IP has no total of its own.
const (
	Method Dimension = iota
	API
	Device
	IP
	URL
	// NumDimensions is the number of dimensions.
	NumDimensions = 5
)

// Dimensions returns all dimensions.
func Dimensions() []Dimension { return []Dimension{Method, API, Device, IP, URL} }

// Optional reports whether the dimension is counted only where it is wanted. The others have totals
// in any case.
func (d Dimension) Optional() bool { return d == IP || d == URL }

// String returns the name of the dimension, which is also that of its label.
func (d Dimension) String() string {
	return [NumDimensions]string{
		metrics.DimensionMethod, metrics.DimensionAPI, metrics.DimensionDevice, metrics.DimensionIP, metrics.DimensionURL,
	}[d]
}

// ValueID is a value of a dimension: the dimension in the upper bits, below it the index of the
// value in the dimension's table.
type ValueID uint32

const indexBits = 28

// NewValueID returns the id of the value with an index.
func NewValueID(d Dimension, index uint32) ValueID { return ValueID(uint32(d)<<indexBits | index) }

// End is greater than all ids.
const End = ValueID(NumDimensions << indexBits)

// Dimension returns the dimension of a value.
func (v ValueID) Dimension() Dimension { return Dimension(v >> indexBits) }

// Index returns the index of a value in its dimension's table.
func (v ValueID) Index() uint32 { return uint32(v) & (1<<indexBits - 1) }
