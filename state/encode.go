package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sync"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"
)

// Limits of what is decoded. They bound memory, whoever wrote the bytes.
const (
	maxDecoded = 512 << 20 // bytes of one state, or of one journal batch, unpacked
	maxRatio   = 200       // unpacked to packed; nothing we write comes near it
	freeRatio  = 1 << 20   // … but small things compress without bound
	maxDepth   = 64        // nesting of the JSON
)

// accountsPerPart is how many accounts one part holds. With about 20,000 the
// first part carries them all; a part then stays far below 8 MiB.
const accountsPerPart = 20_000

var (
	// ErrFormat says that bytes were written in a format this build does not know,
	// most likely by a newer Weir. They must be left untouched.
	ErrFormat = errors.New("unknown state format; a newer weir wrote it, so use that version or a later one")
	// ErrDamaged says that bytes are not what was written. They must be left
	// untouched.
	ErrDamaged = errors.New("damaged state")
)

// Encode returns the stored form of s: one or more parts, each zstd-compressed
// JSON. Equal contents give equal parts, whatever changed in the others. It
// fails on a value that has no stored form, naming its object.
func Encode(s *State) ([][]byte, error) {
	main, err := storeState(s)
	if err != nil {
		return nil, err
	}
	of := max(1, (s.Accounts.Len()+accountsPerPart-1)/accountsPerPart)
	shares := make([][]*Account, of)
	for a := range s.Accounts.All() {
		i := partOf(a.Address, of)
		shares[i] = append(shares[i], a)
	}
	out := make([][]byte, of)
	for i, share := range shares {
		// The serial stands in the first part alone, so that the others stay the same
		// bytes from one checkpoint to the next.
		part := partV1{Format: formatV1, Part: i, Of: of, Lineage: s.Lineage}
		if i == 0 {
			part.Serial, part.State = s.Serial, main
		}
		part.Accounts = convert(share, func(a *Account) *accountV1 { return (*accountV1)(a) })
		if out[i], err = Pack(part); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func partOf(address string, of int) int {
	if of == 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, address)
	return int(h.Sum32() % uint32(of))
}

// Decode is the reverse of Encode. The parts must be all of one state, in order.
// Errors wrap ErrFormat or ErrDamaged.
func Decode(parts [][]byte) (*State, error) {
	s := new(State)
	left := maxDecoded
	for i, packed := range parts {
		var p partV1
		size, err := unpack(packed, left, formatV1, &p)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
		left -= size
		if err := s.add(p, i, len(parts)); err != nil {
			return nil, fmt.Errorf("part %d: %w: %w", i, ErrDamaged, err)
		}
	}
	if s.Lineage == "" {
		return nil, fmt.Errorf("%w: no part has a lineage", ErrDamaged)
	}
	return s, nil
}

func (s *State) add(p partV1, i, of int) error {
	if p.Part != i || p.Of != of {
		return fmt.Errorf("it says it is part %d of %d, and was read as part %d of %d", p.Part, p.Of, i, of)
	}
	if (i == 0) != (p.State != nil) {
		return fmt.Errorf("the first part, and no other, has the tenant's objects")
	}
	if i == 0 {
		s.Lineage, s.Serial = p.Lineage, p.Serial
		if err := p.State.load(s); err != nil {
			return err
		}
	}
	if p.Lineage != s.Lineage {
		return fmt.Errorf("it belongs to lineage %q, the first part to %q", p.Lineage, s.Lineage)
	}
	for _, v := range p.Accounts {
		if v == nil || v.Address == "" {
			return errors.New("an account has no address")
		}
		if s.Accounts.Get(v.Address) != nil {
			return fmt.Errorf("account %q is there twice", v.Address)
		}
		s.Accounts.Put((*Account)(v))
	}
	return nil
}

// Batch is one slot of the journal: entries that became durable together.
type Batch struct {
	Tenant  string // the tenant's key
	Lineage string // the state's
	Epoch   uint64 // of the holder that wrote it
	Slot    uint64 // its number; slots are consecutive
	Run     string // the holder's run id
	Nonce   string // random, so that no two batches are equal bytes
	Entries []Entry
}

// EncodeBatch returns the stored form of a journal batch. It fails on a value
// that has no stored form.
func EncodeBatch(b Batch) ([]byte, error) {
	v := batchV1{
		Format: formatV1, Tenant: b.Tenant, Lineage: b.Lineage, Epoch: b.Epoch,
		Slot: b.Slot, Run: b.Run, Nonce: b.Nonce, Entries: make([]entryV1, len(b.Entries)),
	}
	for i, e := range b.Entries {
		var err error
		if v.Entries[i], err = storeEntry(e); err != nil {
			return nil, err
		}
	}
	return Pack(v)
}

// DecodeBatch is the reverse of EncodeBatch. Errors wrap ErrFormat or
// ErrDamaged.
func DecodeBatch(packed []byte) (Batch, error) {
	var v batchV1
	if err := Unpack(packed, formatV1, &v); err != nil {
		return Batch{}, err
	}
	b := Batch{
		Tenant: v.Tenant, Lineage: v.Lineage, Epoch: v.Epoch,
		Slot: v.Slot, Run: v.Run, Nonce: v.Nonce, Entries: make([]Entry, len(v.Entries)),
	}
	for i, e := range v.Entries {
		var err error
		if b.Entries[i], err = e.load(); err != nil {
			return Batch{}, fmt.Errorf("entry %d: %w: %w", i, ErrDamaged, err)
		}
	}
	return b, nil
}

// packWindow is how far back a part refers to itself, bytes. What repeats in accounts is near; the packer lives as long as
// the process, and with the default it would hold 18 MB.
const packWindow = 1 << 20

// The packer is made once, and safe for concurrent use that way; unpackers are used again, since making one costs more
// than a slot of the journal.
var (
	packer, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(packWindow))
	unpackers = sync.Pool{New: func() any {
		r, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxDecoded), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			panic(err) // the options are constants
		}
		return r
	}}
)

// Pack returns a value's JSON, compressed: the stored form of what is kept beside
// a state.
func Pack(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return packer.EncodeAll(raw, nil), nil
}

// Unpack is the reverse of Pack, for an object with a member "format", into a
// type that knows every member of that format. Errors wrap ErrFormat or
// ErrDamaged.
func Unpack(packed []byte, format int, v any) error {
	_, err := unpack(packed, maxDecoded, format, v)
	return err
}

// Unpacked returns the JSON in what Pack returned, not looked into. Errors wrap
// ErrDamaged.
func Unpacked(packed []byte) ([]byte, error) { return inflate(packed, maxDecoded) }

// unpack decodes one packed JSON value of at most limit bytes and returns how
// many there were.
func unpack(packed []byte, limit, format int, v any) (int, error) {
	raw, err := inflate(packed, limit)
	if err != nil {
		return 0, err
	}
	return len(raw), DecodeJSON(raw, format, v)
}

func inflate(packed []byte, limit int) ([]byte, error) {
	limit = min(limit, max(freeRatio, maxRatio*len(packed)))
	r := unpackers.Get().(*zstd.Decoder)
	defer unpackers.Put(r)
	if err := r.Reset(bytes.NewReader(packed)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer func() { _ = r.Reset(nil) }() // it is not to keep the bytes
	var raw bytes.Buffer
	var frame zstd.Header
	if frame.Decode(packed) == nil && frame.HasFCS { // what it says of its size is a hint, and no more than the limit
		raw.Grow(int(min(frame.FrameContentSize, uint64(limit))) + bytes.MinRead)
	}
	if _, err := raw.ReadFrom(io.LimitReader(r, int64(limit)+1)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if raw.Len() > limit {
		return nil, fmt.Errorf("%w: it unpacks to more than %d bytes", ErrDamaged, limit)
	}
	return raw.Bytes(), nil
}

// DecodeJSON decodes one JSON object that has a member "format", into a type
// that knows every member of that format. Errors wrap ErrFormat or ErrDamaged.
func DecodeJSON(raw []byte, format int, v any) error {
	if err := checkDepth(raw); err != nil {
		return err
	}
	switch found, err := formatOf(raw); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	case found != format:
		return fmt.Errorf("format %d: %w", found, ErrFormat)
	}
	// A member that this build does not know would be lost with the next write.
	if err := jsonv2.Unmarshal(raw, v, jsonv2.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// formatOf finds the member "format" of an object, 0 when it has none. It reads up to there and no further, and it is the
// first that we write.
func formatOf(raw []byte) (int, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return 0, errors.Join(err, errors.New("it is no JSON object"))
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return 0, err
		}
		if name.String() != "format" {
			if err := d.SkipValue(); err != nil {
				return 0, err
			}
			continue
		}
		var format int
		err = jsonv2.UnmarshalDecode(d, &format)
		return format, err
	}
	_, err := d.ReadToken()
	return 0, err
}

// checkDepth refuses nesting that the decoders below would follow recursively.
func checkDepth(raw []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("%w: it is nested deeper than %d", ErrDamaged, maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// Check reports whether the entry can be applied and stored.
func (e Entry) Check() error {
	if e.Outcome != nil {
		if err := e.Outcome.check(); err != nil {
			return err
		}
	}
	if e.Intent != nil {
		if err := e.Intent.check(); err != nil {
			return err
		}
	}
	_, err := storeEntry(e)
	return err
}

// EncodeTenant returns the stored form of a tenant's identity, format 1, as it
// stands in heads.
func EncodeTenant(t TenantMeta) (json.RawMessage, error) {
	return json.Marshal(storeTenant(t))
}

// DecodeTenant is the reverse of EncodeTenant. Errors wrap ErrDamaged.
func DecodeTenant(raw json.RawMessage) (TenantMeta, error) {
	var v tenantV1
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return TenantMeta{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return v.load(), nil
}
