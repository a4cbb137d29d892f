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
// A compressed body is a sequence of deflate blocks up to a byte boundary, with the checksum and
// the length of their content: all of a gzip stream but its first and last bytes. A scrape sends
// the header before it, then the registry's metrics, deflated on their own, and the trailer for
// both. That is one ordinary gzip member. (Two members would be a valid gzip file, but browsers and
// curl stop reading after the first, without an error.)
type body struct {
	chunks [][]byte
	size   int64  // of all chunks
	plain  int64  // length before compression
	sum    uint32 // CRC-32 before compression; only set on compressed bodies
}

// Chunks grow from the smallest to the largest size: small exporters waste little, and large bodies
// are never copied to grow.
const (
	chunkSmallest = 4 << 10
	chunkLargest  = 256 << 10
)

// Write appends p and never fails.
func (b *body) Write(p []byte) (int, error) {
	n := len(p)
	b.size += int64(n)
	for len(p) > 0 {
		last := len(b.chunks) - 1
		if last < 0 || len(b.chunks[last]) == cap(b.chunks[last]) {
			size := chunkSmallest
			if last >= 0 {
				size = min(2*cap(b.chunks[last]), chunkLargest)
			}
			b.chunks = append(b.chunks, make([]byte, 0, size))
			last++
		}
		chunk := b.chunks[last]
		room := min(len(p), cap(chunk)-len(chunk))
		b.chunks[last] = append(chunk, p[:room]...)
		p = p[room:]
	}
	return n, nil
}

// deflateLevel is the fastest: label text repeats so much that level 1 already makes a tenth of it,
// and level 6 needs twice the time for a tenth less.
const deflateLevel = flate.BestSpeed

// deflaters keeps compressors, because their tables are large.
var deflaters = sync.Pool{New: func() any {
	fw, err := flate.NewWriter(nil, deflateLevel)
	if err != nil {
		panic(err) // the level is a constant that is in range
	}
	return fw
}}

// compress returns what render writes as a compressed body.
func compress(render func(io.Writer)) *body {
	b := new(body)
	fw := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(fw)
	fw.Reset(b)
	render(&plainMeter{fw, b})
	if b.plain > 0 {
		_ = fw.Flush() // in memory: cannot fail
	}
	return b
}

// deflateEnd deflates p such that it ends the stream after any compressed body.
func deflateEnd(p []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(p)/4 + 64)
	fw := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(fw)
	fw.Reset(&out)
	_, _ = fw.Write(p) // in memory: cannot fail
	_ = fw.Close()     // likewise
	return out.Bytes()
}

// plainMeter records length and checksum of what a body holds before it is compressed.
type plainMeter struct {
	w    io.Writer
	body *body
}

// Write implements io.Writer.
func (m *plainMeter) Write(p []byte) (int, error) {
	m.body.plain += int64(len(p))
	m.body.sum = crc32.Update(m.body.sum, crc32.IEEETable, p)
	return m.w.Write(p)
}

const gzipTrailerSize = 8

// gzipHeader is the start of each compressed response: deflate, no name, no time, unknown system.
func gzipHeader() []byte { return []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff") }

// gzipTrailer ends the gzip member that holds a compressed body and then end, given uncompressed.
func gzipTrailer(b *body, end []byte) []byte {
	t := make([]byte, 0, gzipTrailerSize)
	t = binary.LittleEndian.AppendUint32(t, crc32.Update(b.sum, crc32.IEEETable, end))
	return binary.LittleEndian.AppendUint32(t, uint32(b.plain+int64(len(end)))) //nolint:gosec // gzip says: modulo 2^32
}
