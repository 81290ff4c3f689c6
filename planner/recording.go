package planner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Recording is what one run read of one tenant, so that plans and explanations can be made of it later, elsewhere, and
// without the vendors. It holds no secret: vendors do not give theirs back, and what state keeps of them stays out.
type Recording struct {
	// Made is when the reads began, UTC. It is the clock of whatever is made of the recording.
	Made time.Time
	// Version is the program's; Realm is "live", or the id of a simulated world.
	Version, Realm string
	Tenant         resource.Identity
	// Observed is what was read.
	Observed *Observation
	// Data are the answers of data blocks, by type and arguments.
	Data []DataAnswer
	// Prior is what state remembered; nil when nothing was stored. The version key and the providers' arguments are left
	// out.
	Prior *state.State
	// Pseudonymous says that names, addresses, domains and ids are not the real ones.
	Pseudonymous bool
}

// DataAnswer is what one data block read.
type DataAnswer struct {
	Type   string
	Config cty.Value
	Value  cty.Value
	Err    error
}

// Answer finds what a data block read.
func (r *Recording) Answer(dataType string, config cty.Value) (cty.Value, error) {
	config, _ = config.UnmarkDeep()
	for _, a := range r.Data {
		if a.Type == dataType && a.Config.RawEquals(stored(config)) {
			return a.Value, a.Err
		}
	}
	return cty.NilVal, fmt.Errorf("the recording has no answer for this data %q block: it was recorded without it", dataType)
}

// The recording file is a magic line and zstd-compressed JSON of recordingV1.
const (
	recordingMagic    = "weir-recording\n"
	recordingFormatV1 = 1
)

// ErrNotRecording says that a file is no recording at all.
var ErrNotRecording = errors.New("not a recording")

// Write writes the recording file, format 1.
func (r *Recording) Write(w io.Writer) error {
	f, err := storeRecording(r)
	if err != nil {
		return err
	}
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(data) > maxPlanSize {
		return fmt.Errorf("the recording would have %d MiB, and %d are the most that can be read back", len(data)>>20, maxPlanSize>>20)
	}
	if _, err := io.WriteString(w, recordingMagic); err != nil {
		return err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := z.Write(data); err != nil {
		return errors.Join(err, z.Close())
	}
	return z.Close()
}

// ReadRecording reads a recording file. Objects are brought to the types of the registry: what a type does not have any
// more is dropped, what it has gained is null. ErrNotRecording is in the chain when the file is something else; another
// error says that it is damaged or of a newer version.
func ReadRecording(r io.Reader, registry *resource.Registry) (*Recording, error) {
	magic := make([]byte, len(recordingMagic))
	if _, err := io.ReadFull(r, magic); err != nil || !bytes.Equal(magic, []byte(recordingMagic)) {
		return nil, ErrNotRecording
	}
	packed, err := io.ReadAll(io.LimitReader(r, maxPlanSize+1))
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	data, err := unpackFile("recording", packed)
	if err != nil {
		return nil, err
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("recording is damaged: %w", err)
	}
	if head.Format != recordingFormatV1 {
		return nil, fmt.Errorf("recording has format %d; this version of Weir reads %d", head.Format, recordingFormatV1)
	}
	var f recordingV1
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("recording is damaged: %w", err)
	}
	out, err := f.load(registry)
	if err != nil {
		return nil, fmt.Errorf("recording is damaged: %w", err)
	}
	return out, nil
}

// shareable is the state without what only its own tenant's runs may know.
func shareable(s *state.State) *state.State {
	if s == nil || !s.Stored() {
		return nil
	}
	out := s.Clone()
	out.VersionKey = make([]byte, state.VersionKeySize)
	out.Tenant.Providers = nil
	out.Outputs = nil
	return out
}

// conformed brings a value to an attribute table: attributes of another type, or none, are null.
func conformed(table []resource.Attribute, v cty.Value) cty.Value {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() {
		return cty.NullVal(resource.ObjectType(table))
	}
	members := resource.Null(table)
	for i := range table {
		a := &table[i]
		if !v.Type().HasAttribute(a.Name) {
			continue
		}
		m := v.GetAttr(a.Name)
		switch {
		case len(a.Nested) > 0:
			members[a.Name] = conformed(a.Nested, m)
		case m.Type().Equals(a.Type):
			members[a.Name] = m
		}
	}
	return cty.ObjectVal(members)
}

// Answered adds what a data block read.
func (r *Recording) Answered(dataType string, config, value cty.Value, err error) {
	config, _ = config.UnmarkDeep()
	r.Data = append(r.Data, DataAnswer{Type: dataType, Config: stored(config), Value: value, Err: err})
}

// Counts are how many directory entries and accounts were read.
func (r *Recording) Counts() (entries, accounts int) {
	if r.Observed.Directory != nil {
		entries = len(r.Observed.Directory.Entries)
	}
	if r.Observed.Accounts != nil {
		accounts = len(r.Observed.Accounts.Accounts)
	}
	return entries, accounts
}
