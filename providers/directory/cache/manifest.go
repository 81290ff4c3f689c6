package cache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// format is the stored form of manifests and of the records in their parts. Of an older one nothing is read: the directory
// is there to be asked.
const format = 2

// Limits of what is read. They bound memory, whoever wrote the bytes.
const (
	maxManifest = 8 << 20
	maxPart     = 64 << 20 // bytes of one part, unpacked
	maxObjects  = 8 << 20  // of one collection
)

var (
	// ErrFormat says that a cached directory was written by another version of Weir, in another form.
	ErrFormat = errors.New("another version of weir wrote it")
	// ErrDamaged says that it is not what was written.
	ErrDamaged = errors.New("the cached directory is damaged")
)

// manifestV2 is the stored form of a generation, as JSON.
type manifestV2 struct {
	Format int    `json:"format"`
	Serial uint64 `json:"serial"`
	// Tenant, Root, Realm and Fields say which directory this is, of which service, in which world, and what was asked of
	// it: what differs is another directory.
	Tenant string `json:"tenant"`
	Root   string `json:"root"`
	Realm  string `json:"realm"`
	Fields string `json:"fields"`
	// Read is when the read began.
	Read        time.Time      `json:"read"`
	Collections []collectionV2 `json:"collections"`
	Mailboxes   *mailboxesV2   `json:"mailboxes,omitempty"`
}

type collectionV2 struct {
	Name string `json:"name"`
	Link string `json:"link"`
	// Full is when the last full read of it began.
	Full  time.Time `json:"full"`
	Parts []partV2  `json:"parts"`
}

type mailboxesV2 struct {
	// Until is the service's own time up to which changes are in.
	Until time.Time `json:"until"`
	// Total is how many mailboxes of any kind the last full read saw, which began at Full.
	Total int       `json:"total"`
	Full  time.Time `json:"full"`
	Parts []partV2  `json:"parts"`
}

// partV2 names one part. Size and Digest are of the stored bytes.
type partV2 struct {
	Name    string `json:"name"`
	Digest  string `json:"digest"` // SHA-256, hex
	Size    int64  `json:"size"`
	Objects int    `json:"objects"`
}

func (m *manifestV2) parts() []partV2 {
	var out []partV2
	for _, c := range m.Collections {
		out = append(out, c.Parts...)
	}
	if m.Mailboxes != nil {
		out = append(out, m.Mailboxes.Parts...)
	}
	return out
}

func encodeManifest(m *manifestV2) ([]byte, error) { return json.Marshal(m) }

// decodeManifest reads and checks a manifest. Errors wrap ErrFormat or ErrDamaged.
func decodeManifest(body []byte) (*manifestV2, error) {
	if len(body) > maxManifest {
		return nil, fmt.Errorf("%w: its manifest has %d bytes", ErrDamaged, len(body))
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	switch {
	case version.Format > format:
		return nil, fmt.Errorf("%w, a newer one: format %d", ErrFormat, version.Format)
	case version.Format != format:
		return nil, fmt.Errorf("%w: format %d", ErrFormat, version.Format)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	m := &manifestV2{}
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows its manifest", ErrDamaged)
	}
	if len(m.Collections) > 16 {
		return nil, fmt.Errorf("%w: it has %d collections", ErrDamaged, len(m.Collections))
	}
	for _, c := range m.Collections {
		if err := checkParts(c.Parts); err != nil {
			return nil, err
		}
	}
	if m.Mailboxes != nil {
		return m, checkParts(m.Mailboxes.Parts)
	}
	return m, nil
}

func checkParts(parts []partV2) error {
	if len(parts) > maxShards {
		return fmt.Errorf("%w: a collection has %d parts", ErrDamaged, len(parts))
	}
	total := 0
	for _, p := range parts {
		if _, part, ok := parseName(p.Name); !ok || !part {
			return fmt.Errorf("%w: it names a part %q", ErrDamaged, p.Name)
		}
		if p.Objects < 0 || p.Objects > maxObjects {
			return fmt.Errorf("%w: a part has %d objects", ErrDamaged, p.Objects)
		}
		total += p.Objects
	}
	if total > maxObjects {
		return fmt.Errorf("%w: a collection has %d objects", ErrDamaged, total)
	}
	return nil
}
