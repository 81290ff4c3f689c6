package transport

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// chunk is the size in bytes of the pieces that an answer is kept in.
const chunk = 64 << 10

var chunkPool = sync.Pool{New: func() any { return new([chunk]byte) }}

// pooled is how many pieces of one answer are kept for the next. The pool holds on to what it has for two collections,
// which is too long for the 70 MB of a list that comes once in a run.
const pooled = 64

// body is an answer in memory, in pieces: a list of 90 MB is not copied each time that it outgrows its buffer, and what
// was read of it is free before the rest was looked at. Not safe for concurrent use.
type body struct {
	pieces []*[chunk]byte
	at     int   // read so far of the first piece
	left   int64 // bytes not read yet
}

// errLarge says that an answer outgrew its limit.
var errLarge = errors.New("too large")

// readBody reads to the end of in; more than limit bytes are errLarge.
func readBody(in io.Reader, limit int64) (*body, error) {
	b := &body{}
	for end := chunk; ; {
		if end == chunk {
			b.pieces, end = append(b.pieces, chunkPool.Get().(*[chunk]byte)), 0
		}
		n, err := in.Read(b.pieces[len(b.pieces)-1][end:])
		end += n
		b.left += int64(n)
		switch {
		case b.left > limit:
			_ = b.Close() // never fails
			return nil, errLarge
		case err == io.EOF: //nolint:errorlint // as io.Reader says
			return b, nil
		case err != nil:
			_ = b.Close() // never fails
			return nil, err
		}
	}
}

// hasPrefix reports whether what was not read yet begins so; prefix is shorter than a piece.
func (b *body) hasPrefix(prefix []byte) bool {
	return b.at == 0 && b.left >= int64(len(prefix)) && bytes.HasPrefix(b.pieces[0][:], prefix)
}

// Read implements io.Reader. A piece that was read goes back at once.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		_ = b.Close() // never fails
		return 0, io.EOF
	}
	n := copy(p, b.pieces[0][b.at:min(int64(chunk), int64(b.at)+b.left)])
	b.at += n
	b.left -= int64(n)
	if b.at == chunk {
		b.free(0)
		b.pieces, b.at = b.pieces[1:], 0
	}
	return n, nil
}

// free lets go of one of the pieces that are left; the last ones are for the next answer.
func (b *body) free(i int) {
	if len(b.pieces)-i <= pooled {
		chunkPool.Put(b.pieces[i])
	}
	b.pieces[i] = nil
}

// Close implements io.Closer; what was not read is gone.
func (b *body) Close() error {
	for i := range b.pieces {
		b.free(i)
	}
	b.pieces, b.at, b.left = nil, 0, 0
	return nil
}
