package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-project/weir/state"
	"github.com/weir-project/weir/state/keys"
)

// Every stored object begins with one line: magic and format number, the
// method, and what the method needs.
//
//	weir1 plain <digest>                       anything, where nothing is encrypted
//	weir1 aes256gcm <key id> <nonce>           anything but a head
//	weir1 signed <digest> <key id> <code>      a head, which names the keys
//
// The digest is over the object's key and its payload, so that a changed byte, a
// cut-off end and an object copied from another tenant or slot are all refused;
// a data key says the same of who can write the bucket.
const (
	magic        = "weir1"
	methodPlain  = "plain"
	methodSealed = "aes256gcm"
	methodSigned = "signed"
)

var (
	// ErrEncrypted says that a state is encrypted and no way to open it was given.
	ErrEncrypted = errors.New("this state is encrypted, and the configuration has no encryption block; " +
		"write the one that it was made with into the state block")
	// ErrPlaintext says that a state is not encrypted although it should be.
	ErrPlaintext = errors.New("this state is not encrypted, and the configuration asks for encryption; " +
		"encrypt it with weir state rekey --from-plaintext, or take the encryption block out")
)

// line is the first line of an object, taken apart.
type line struct {
	text   string // without its end
	method string
	words  []string // after the method
}

// cut takes an object apart. It does not verify anything.
func cut(key string, body []byte) (line, []byte, error) {
	text, payload, found := bytes.Cut(body, []byte("\n"))
	if !found || len(text) > 256 {
		text = nil
	}
	words := strings.Split(string(text), " ")
	if len(words) < 2 || !strings.HasPrefix(words[0], "weir") {
		return line{}, nil, fmt.Errorf("state object %s: %w: it does not begin like one; was it written by something else?", key, state.ErrDamaged)
	}
	l := line{text: string(text), method: words[1], words: words[2:]}
	want := map[string]int{methodPlain: 1, methodSealed: 2, methodSigned: 3}
	n, known := want[l.method]
	if words[0] != magic || !known {
		return line{}, nil, fmt.Errorf("state object %s: %w", key, state.ErrFormat)
	}
	if len(l.words) != n {
		return line{}, nil, fmt.Errorf("state object %s: %w: its first line is not whole", key, state.ErrDamaged)
	}
	return l, payload, nil
}

// payloadDigest is the digest in the first line of what is not encrypted.
func payloadDigest(method, key string, payload []byte) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s %s %s\n", magic, method, key)
	h.Write(payload)
	return hex.EncodeToString(h.Sum(nil))
}

// verify checks the digest of what is not encrypted.
func (l line) verify(key string, payload []byte) error {
	if l.words[0] != payloadDigest(l.method, key, payload) {
		return fmt.Errorf("state object %s: %w: its digest does not match; restore it from the bucket's versions", key, state.ErrDamaged)
	}
	return nil
}

// wrap returns the stored bytes of an object that is not encrypted.
func wrap(key string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "%s %s %s\n", magic, methodPlain, payloadDigest(methodPlain, key, payload)), payload...)
}

// unwrap is the reverse of wrap, for the key the bytes were read from.
func unwrap(key string, body []byte) ([]byte, error) {
	l, payload, err := cut(key, body)
	if err != nil {
		return nil, err
	}
	if l.method != methodPlain {
		return nil, fmt.Errorf("state object %s: %w", key, ErrEncrypted)
	}
	return payload, l.verify(key, payload)
}

// sealer turns payloads of one tenant into stored objects and back. The nil
// sealer is of a tenant that is not encrypted.
type sealer struct {
	key *keys.DataKey            // of what is written
	all map[string]*keys.DataKey // of what is read, by id
	// plainBefore is the first journal slot that must be encrypted: the ones before
	// it are older than the encryption.
	plainBefore uint64
}

// wrap returns the stored bytes of an object other than a head. nonce is random.
func (s *sealer) wrap(key string, payload []byte, nonce func(int) []byte) []byte {
	if s == nil {
		return wrap(key, payload)
	}
	once := nonce(12)
	head := fmt.Appendf(nil, "%s %s %s %s\n", magic, methodSealed, s.key.ID(), hex.EncodeToString(once))
	return append(head, s.key.Seal(key, head, payload, once)...)
}

// unwrap is the reverse of wrap. Where named, somebody trustworthy vouched for
// the bytes by their digest, and they may be from before the encryption.
func (s *sealer) unwrap(key string, body []byte, named bool) ([]byte, error) {
	if s == nil {
		return unwrap(key, body)
	}
	l, payload, err := cut(key, body)
	if err != nil {
		return nil, err
	}
	if l.method == methodPlain && named {
		return payload, l.verify(key, payload)
	}
	if l.method != methodSealed {
		return nil, fmt.Errorf("state object %s: %w: it is not encrypted, and everything around it is", key, state.ErrDamaged)
	}
	k := s.all[l.words[0]]
	once, err := hex.DecodeString(l.words[1])
	if err != nil || len(once) != 12 {
		return nil, fmt.Errorf("state object %s: %w: its first line is not whole", key, state.ErrDamaged)
	}
	if k == nil {
		return nil, fmt.Errorf("state object %s: %w: it is encrypted with data key %.16q, which the configuration's settings do not open",
			key, keys.ErrWrongKey, l.words[0])
	}
	plain, err := k.Open(key, []byte(l.text+"\n"), payload, once)
	if err != nil {
		return nil, fmt.Errorf("state object %s: %w: %w", key, state.ErrDamaged, err)
	}
	return plain, nil
}

// unwrapSlot is unwrap for a journal slot.
func (s *sealer) unwrapSlot(key string, body []byte, slot uint64) ([]byte, error) {
	return s.unwrap(key, body, s != nil && slot < s.plainBefore)
}

// sign returns the stored bytes of a head that names keys, the one with that id
// as the newest. That one signs it, even while a newer one is about to be named.
func (s *sealer) sign(key string, payload []byte, id string) ([]byte, error) {
	if s == nil || s.all[id] == nil {
		return nil, fmt.Errorf("state object %s: %w: its data key %s is not open", key, keys.ErrWrongKey, id)
	}
	text := fmt.Sprintf("%s %s %s %s", magic, methodSigned, payloadDigest(methodSigned, key, payload), id)
	return append(fmt.Appendf(nil, "%s %s\n", text, hex.EncodeToString(s.all[id].MAC(key, []byte(text)))), payload...), nil
}

// signed verifies the first line of a head, whose payload the digest in it
// stands for.
func (s *sealer) signed(key string, l line) error {
	if s == nil || s.all[l.words[1]] == nil {
		return fmt.Errorf("state object %s: %w: it is signed with data key %.16q, which is not open", key, state.ErrDamaged, l.words[1])
	}
	k := s.all[l.words[1]]
	text := strings.TrimSuffix(l.text, " "+l.words[2])
	// Compared as written: decoded, capital letters would pass too.
	if code := hex.EncodeToString(k.MAC(key, []byte(text))); !hmac.Equal([]byte(l.words[2]), []byte(code)) {
		return fmt.Errorf("state object %s: %w: it was not written by a run that has the key", key, state.ErrDamaged)
	}
	return nil
}

// subject names whose data key a wrap protects.
func (t *Tenant) subject(lineage string) string { return fmt.Sprintf("tenant %s %s", t.key, lineage) }

// sealerOf opens the data keys that a head names. Only the newest must open: an
// older one is needed by nothing but history.
func (t *Tenant) sealerOf(ctx context.Context, h *headV1, l line) (*sealer, error) {
	ring := t.b.keys
	switch {
	case l.method == methodPlain && len(h.Keys) > 0:
		return nil, fmt.Errorf("state object %s: %w: it names keys and is not signed", t.headKey(), state.ErrDamaged)
	case l.method == methodPlain && (ring == nil || t.b.fromPlaintext):
		return nil, nil
	case l.method == methodPlain:
		return nil, fmt.Errorf("tenant %q: %w", t.key, ErrPlaintext)
	case ring == nil:
		return nil, fmt.Errorf("tenant %q: %w", t.key, ErrEncrypted)
	case len(h.Keys) == 0:
		return nil, fmt.Errorf("state object %s: %w: it is signed and names no key", t.headKey(), state.ErrDamaged)
	}
	s := &sealer{all: make(map[string]*keys.DataKey, len(h.Keys)), plainBefore: h.PlainBefore}
	for i, named := range h.Keys {
		k, err := t.b.dataKey(ctx, t.subject(h.Lineage), named)
		if err != nil {
			if i < len(h.Keys)-1 {
				continue
			}
			return nil, keyError(t.key, err)
		}
		s.all[named.ID], s.key = k, k
	}
	if l.words[1] != s.key.ID() {
		return nil, fmt.Errorf("state object %s: %w: it is not signed with the newest of its keys", t.headKey(), state.ErrDamaged)
	}
	return s, s.signed(t.headKey(), l)
}

// keyError sorts an error of the keys into the store's.
func keyError(tenant string, err error) error {
	switch {
	case errors.Is(err, keys.ErrUnavailable):
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, keys.ErrDamaged):
		err = fmt.Errorf("%w: %w", state.ErrDamaged, err)
	case errors.Is(err, keys.ErrFormat):
		err = fmt.Errorf("%w: %w", state.ErrFormat, err)
	}
	return fmt.Errorf("tenant %q: %w", tenant, err)
}

// dataKey opens a data key, once.
func (b *Bucket) dataKey(ctx context.Context, subject string, named keyV1) (*keys.DataKey, error) {
	// The wraps are part of the name: after a rekey the new ones must open, too.
	name := subject + " " + named.ID + " " + wrapsDigest(named.Wraps)
	b.keysMu.Lock()
	k := b.opened[name]
	b.keysMu.Unlock()
	if k != nil {
		return k, nil
	}
	k, err := b.keys.Open(ctx, subject, named.ID, named.Wraps)
	if err != nil {
		return nil, err
	}
	b.keysMu.Lock()
	defer b.keysMu.Unlock()
	b.opened[name] = k
	return k, nil
}

func wrapsDigest(wraps []keys.Wrap) string {
	raw, err := json.Marshal(wraps)
	if err != nil {
		return ""
	}
	return digest(raw)
}
