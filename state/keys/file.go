package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A sealed file is one line and a ciphertext:
//
//	weir-sealed 1 <base64 of {"id":…,"wraps":[…],"nonce":…}>
//
// The line, with its end, and the subject are the associated data.
const (
	sealedMagic   = "weir-sealed "
	sealedVersion = sealedMagic + "1 "
	sealedName    = "sealed file" // of the key, see DataKey.Seal
	maxSealed     = 512 << 20     // bytes of plaintext
	maxHeader     = 1 << 20       // bytes of the line
	gcmOverhead   = 16            // bytes
)

type sealedV1 struct {
	ID    string `json:"id"`
	Wraps []Wrap `json:"wraps"`
	Nonce []byte `json:"nonce"`
}

// IsSealed reports whether a file begins like one that SealFile made.
func IsSealed(file []byte) bool { return bytes.HasPrefix(file, []byte(sealedMagic)) }

// SealFile returns a file that carries its own protected data key and opens
// wherever the settings are the same. The subject says what it is; OpenFile must
// name the same. At most 512 MiB.
func (r *Ring) SealFile(ctx context.Context, subject string, plaintext []byte) ([]byte, error) {
	if len(plaintext) > maxSealed {
		return nil, fmt.Errorf("%s: %d bytes; a sealed file has at most %d", subject, len(plaintext), maxSealed)
	}
	k, wraps, err := r.Make(ctx, subject)
	if err != nil {
		return nil, err
	}
	nonce, err := r.bytes(nonceSize)
	if err != nil {
		return nil, err
	}
	header, err := json.Marshal(sealedV1{ID: k.id, Wraps: wraps, Nonce: nonce})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", subject, err)
	}
	line := sealedVersion + base64.StdEncoding.EncodeToString(header) + "\n"
	return append([]byte(line), k.Seal(sealedName, []byte(line+subject), plaintext, nonce)...), nil
}

// OpenFile is the reverse of SealFile. Errors are those of Open.
func (r *Ring) OpenFile(ctx context.Context, subject string, file []byte) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("%s: %w", subject, err) }
	if !IsSealed(file) {
		return fail(fmt.Errorf("%w: it does not begin like a sealed file", ErrDamaged))
	}
	end := bytes.IndexByte(file[:min(len(file), maxHeader)], '\n')
	if end < 0 {
		return fail(fmt.Errorf("%w: its first line does not end", ErrDamaged))
	}
	line, body := file[:end+1], file[end+1:]
	text, found := bytes.CutPrefix(line[:end], []byte(sealedVersion))
	if !found {
		return fail(fmt.Errorf("a sealed file: %w", ErrFormat))
	}
	if len(body) > maxSealed+gcmOverhead {
		return fail(fmt.Errorf("%w: %d bytes; a sealed file has at most %d", ErrDamaged, len(body), maxSealed))
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil {
		return fail(fmt.Errorf("%w: its first line: %w", ErrDamaged, err))
	}
	var header sealedV1
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&header); err != nil {
		return fail(fmt.Errorf("its first line: %w", decodeFault(err)))
	}
	k, err := r.Open(ctx, subject, header.ID, header.Wraps)
	if err != nil {
		return nil, err
	}
	plaintext, err := k.Open(sealedName, append(bytes.Clone(line), subject...), body, header.Nonce)
	if err != nil {
		return fail(err)
	}
	return plaintext, nil
}
