package keys

import (
	"bytes"
	"errors"
	"testing"
)

func testKey() *DataKey {
	k := &DataKey{id: "0123456789abcdef"}
	for i := range k.key {
		k.key[i] = byte(i)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	k := testKey()
	nonce := make([]byte, 12)
	for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("y"), 100_000)} {
		sealed := k.Seal("snap", []byte("ad"), plain, nonce)
		got, err := k.Open("snap", []byte("ad"), sealed, nonce)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d, %v", len(plain), len(got), err)
		}
	}
	sealed := k.Seal("snap", []byte("ad"), []byte("text"), nonce)
	other := testKey()
	other.key[0] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another name":  func() ([]byte, error) { return k.Open("slot", []byte("ad"), sealed, nonce) },
		"another ad":    func() ([]byte, error) { return k.Open("snap", []byte("da"), sealed, nonce) },
		"another nonce": func() ([]byte, error) { return k.Open("snap", []byte("ad"), sealed, bytes.Repeat([]byte{1}, 12)) },
		"another key":   func() ([]byte, error) { return other.Open("snap", []byte("ad"), sealed, nonce) },
		"short nonce":   func() ([]byte, error) { return k.Open("snap", []byte("ad"), sealed, nonce[:11]) },
		"no nonce":      func() ([]byte, error) { return k.Open("snap", []byte("ad"), sealed, nil) },
		"cut off":       func() ([]byte, error) { return k.Open("snap", []byte("ad"), sealed[:len(sealed)-1], nonce) },
		"nothing":       func() ([]byte, error) { return k.Open("snap", []byte("ad"), nil, nonce) },
	} {
		if got, err := open(); !errors.Is(err, ErrDamaged) || got != nil {
			t.Errorf("%s: %q, %v; want ErrDamaged", name, got, err)
		}
	}
}

func TestMACDependsOnAll(t *testing.T) {
	k, other := testKey(), testKey()
	other.key[31] ^= 0x80
	seen := map[string]bool{}
	for _, mac := range [][]byte{k.MAC("a", []byte("b")), k.MAC("b", []byte("b")), k.MAC("a", []byte("c")), other.MAC("a", []byte("b")), k.derive("weir object a", 32)} {
		if len(mac) != 32 || seen[string(mac)] {
			t.Errorf("%d bytes, or seen before", len(mac))
		}
		seen[string(mac)] = true
	}
	if !bytes.Equal(k.MAC("a", []byte("b")), testKey().MAC("a", []byte("b"))) {
		t.Error("the same gives another")
	}
}

func FuzzDataKeyOpen(f *testing.F) {
	k := testKey()
	nonce := make([]byte, 12)
	good := k.Seal("n", []byte("ad"), []byte("text"), nonce)
	f.Add([]byte("ad"), good, nonce)
	f.Add([]byte(nil), []byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, ad, ciphertext, nonce []byte) {
		got, err := k.Open("n", ad, ciphertext, nonce)
		if err != nil {
			if !errors.Is(err, ErrDamaged) || got != nil {
				t.Errorf("%q, %v", got, err)
			}
			return
		}
		if !bytes.Equal(k.Seal("n", ad, got, nonce), ciphertext) {
			t.Error("what opened is not what is sealed")
		}
	})
}
