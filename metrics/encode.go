package metrics

import (
	"io"
	"sync"

	"github.com/prometheus/common/expfmt"
)

// format is one of the three exposition formats. The two versions of OpenMetrics that are offered
// differ only in the content type.
type format int

const (
	formatText format = iota
	formatOpenMetrics
	formatProtobuf
	formatCount
)

// standard returns the format under which expfmt writes the registry's metrics.
func (f format) standard() expfmt.Format {
	switch f {
	case formatOpenMetrics:
		return expfmt.FmtOpenMetrics_1_0_0
	case formatProtobuf:
		return expfmt.FmtProtoDelim
	default:
		return expfmt.FmtText
	}
}

// FamilySamples is everything that is published of one family: the blocks of all targets, in the
// order of a scrape.
type FamilySamples struct {
	Family *Family
	Blocks []TargetSamples
}

// TargetSamples is a block of one target, with the labels that the target has on all of its series.
type TargetSamples struct {
	Samples []Sample
	Labels  *OwnLabels
}

// estimate returns the approximate length of the text of all groups. It decides only whether the
// text is kept uncompressed.
func estimate(groups []FamilySamples) int64 {
	const number = 10 // a value, its blank and its line break
	var n int64
	for i := range groups {
		g := &groups[i]
		n += int64(len(g.Family.Help) + 3*len(g.Family.Name) + 24)
		for _, block := range g.Blocks {
			for j := range block.Samples {
				n += int64(len(g.Family.Name) + len(block.Samples[j].Series.text) + len(block.Labels.String()) + number)
			}
		}
	}
	return n
}

// encode renders the groups in the format f to w, without the end of the exposition. w never fails.
func encode(w io.Writer, f format, created bool, groups []FamilySamples) {
	pg := pages.Get().(*page)
	pg.w = w
	for i := range groups {
		if f == formatProtobuf {
			encodeProtobuf(pg, &groups[i])
		} else {
			encodeText(pg, &groups[i], f == formatOpenMetrics, created)
		}
	}
	pg.flush()
	pg.w = nil
	if cap(pg.buf) <= pageLarge {
		pages.Put(pg)
	}
}

// page collects what is appended to buf and passes it on in steps, so that rendering needs no more
// memory than one step and what w keeps.
type page struct {
	w   io.Writer
	buf []byte
}

const (
	pageSize  = 32 << 10
	pageLarge = 1 << 20 // a buffer that one huge value made larger than this is not kept
)

var pages = sync.Pool{New: func() any { return &page{buf: make([]byte, 0, pageSize+4096)} }}

// spill flushes once enough is collected.
func (p *page) spill() {
	if len(p.buf) >= pageSize {
		p.flush()
	}
}

func (p *page) flush() {
	_, _ = p.w.Write(p.buf) // never fails: see encode
	p.buf = p.buf[:0]
}
