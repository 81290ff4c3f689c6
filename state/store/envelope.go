package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/weir-project/weir/state"
)

// Every stored object begins with one line: magic and format number, the
// method, and what the method needs. The method "plain" needs a digest over the
// object's key and its payload, so that a changed byte, a cut-off end and an
// object copied from another tenant or slot are all refused.
const (
	magic  = "weir1"
	method = "plain"
)

func plainHeader(key string, payload []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s %s %s\n", magic, method, key)
	h.Write(payload)
	return fmt.Sprintf("%s %s %s\n", magic, method, hex.EncodeToString(h.Sum(nil)))
}

// wrap returns the stored bytes of an object.
func wrap(key string, payload []byte) []byte {
	return append([]byte(plainHeader(key, payload)), payload...)
}

// unwrap is the reverse of wrap, for the key the bytes were read from.
func unwrap(key string, body []byte) ([]byte, error) {
	line, payload, found := bytes.Cut(body, []byte("\n"))
	words := bytes.Split(line, []byte(" "))
	if !found || len(words) < 2 || !bytes.HasPrefix(words[0], []byte("weir")) {
		return nil, fmt.Errorf("state object %s: %w: it does not begin like one; was it written by something else?", key, state.ErrDamaged)
	}
	if string(words[0]) != magic || string(words[1]) != method {
		return nil, fmt.Errorf("state object %s: %w", key, state.ErrFormat)
	}
	if string(line)+"\n" != plainHeader(key, payload) {
		return nil, fmt.Errorf("state object %s: %w: its digest does not match; restore it from the bucket's versions", key, state.ErrDamaged)
	}
	return payload, nil
}
