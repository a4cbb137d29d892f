package metrics

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// body is rendered once and copied to every scrape.
//
// A compressed body is deflate blocks up to a byte boundary, with the checksum and the length of what they hold: all of
// a gzip stream but its first and last bytes. A scrape puts the header before it, the exporter's own health, deflated on
// its own, behind it, and the trailer for both. That is one ordinary gzip member. (Two members, one after the other,
// would be a valid gzip file, but browsers and curl stop reading after the first, without an error.)
type body struct {
	pieces [][]byte
	size   int64  // of what is in pieces
	plain  int64  // length before compression
	sum    uint32 // CRC-32 before compression; only set on compressed bodies
}

// pieces grow from the one to the other: small exporters waste little, large bodies are never copied to grow.
const (
	pieceSmallest = 4 << 10
	pieceLargest  = 256 << 10
)

// Write collects p.
func (b *body) Write(p []byte) (int, error) {
	n := len(p)
	b.size += int64(n)
	for len(p) > 0 {
		last := len(b.pieces) - 1
		if last < 0 || len(b.pieces[last]) == cap(b.pieces[last]) {
			size := pieceSmallest
			if last >= 0 {
				size = min(2*cap(b.pieces[last]), pieceLargest)
			}
			b.pieces = append(b.pieces, make([]byte, 0, size))
			last++
		}
		piece := b.pieces[last]
		room := min(len(p), cap(piece)-len(piece))
		b.pieces[last] = append(piece, p[:room]...)
		p = p[room:]
	}
	return n, nil
}

// copyTo sends the body. It stops at the first error, which is the client's having gone.
func (b *body) copyTo(w io.Writer) error {
	for _, piece := range b.pieces {
		if _, err := w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// deflater compresses, and keeps its large tables between uses.
type deflater struct{ pool sync.Pool }

// deflateLevel is the fastest: label text repeats so much that level 1 already makes a tenth of it, and level 6 takes
// twice the time for a tenth less.
const deflateLevel = flate.BestSpeed

func (d *deflater) get(w io.Writer) *flate.Writer {
	if fw, ok := d.pool.Get().(*flate.Writer); ok {
		fw.Reset(w)
		return fw
	}
	fw, err := flate.NewWriter(w, deflateLevel)
	if err != nil {
		panic(err) // the level is a constant that is in range
	}
	return fw
}

func (d *deflater) put(fw *flate.Writer) { d.pool.Put(fw) }

// compress collects what write writes as a compressed body.
func (d *deflater) compress(write func(io.Writer)) *body {
	b := new(body)
	fw := d.get(b)
	defer d.put(fw)
	m := &meter{w: fw}
	write(m)
	if m.n > 0 {
		_ = fw.Flush() // in memory: cannot fail
	}
	b.plain, b.sum = m.n, m.sum
	return b
}

// final deflates p so that it ends the stream behind any compressed body.
func (d *deflater) final(p []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(p)/4 + 64)
	fw := d.get(&out)
	defer d.put(fw)
	_, _ = fw.Write(p) // in memory: cannot fail
	_ = fw.Close()     // likewise
	return out.Bytes()
}

// meter passes on and keeps what a gzip trailer must say.
type meter struct {
	w   io.Writer
	n   int64
	sum uint32
}

func (m *meter) Write(p []byte) (int, error) {
	m.n += int64(len(p))
	m.sum = crc32.Update(m.sum, crc32.IEEETable, p)
	return m.w.Write(p)
}

const (
	gzipHeader      = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" // deflate, no name, no time, unknown system
	gzipTrailerSize = 8
)

// gzipTrailer ends the gzip member of a compressed body followed by tail.
func gzipTrailer(b *body, tail []byte) []byte {
	t := make([]byte, 0, gzipTrailerSize)
	t = binary.LittleEndian.AppendUint32(t, crc32.Update(b.sum, crc32.IEEETable, tail))
	return binary.LittleEndian.AppendUint32(t, uint32(b.plain+int64(len(tail)))) //nolint:gosec // gzip says: modulo 2^32
}
