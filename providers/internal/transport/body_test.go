package transport

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func TestBody(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, chunk - 1, chunk, chunk + 1, 3*chunk + 7} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		for _, in := range []io.Reader{bytes.NewReader(want), iotest.HalfReader(bytes.NewReader(want)), iotest.DataErrReader(bytes.NewReader(want))} {
			b, err := readBody(in, int64(size))
			if err != nil || b.left != int64(size) {
				t.Fatalf("%d bytes: %v", size, err)
			}
			if size > 1 && (!b.hasPrefix(want[:2]) || b.hasPrefix([]byte{^want[0]})) {
				t.Errorf("%d bytes: prefix", size)
			}
			if err := iotest.TestReader(b, want); err != nil {
				t.Errorf("%d bytes: %v", size, err)
			}
			if len(b.pieces) != 0 {
				t.Errorf("%d bytes: %d pieces were kept", size, len(b.pieces))
			}
		}
		if size == 0 {
			continue
		}
		if _, err := readBody(bytes.NewReader(want), int64(size-1)); !errors.Is(err, errLarge) {
			t.Errorf("%d bytes over a limit of one less: %v", size, err)
		}
		if _, err := readBody(io.MultiReader(bytes.NewReader(want), iotest.ErrReader(io.ErrUnexpectedEOF)), int64(size)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes that break off: %v", size, err)
		}
	}
}

// TestBodyClosed: what was closed half read gives no byte of it again, nor one of the answer that has its pieces now.
func TestBodyClosed(t *testing.T) {
	b, err := readBody(bytes.NewReader(make([]byte, 2*chunk)), 2*chunk)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Read(make([]byte, 10)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes after Close: %v", n, err)
	}
}
