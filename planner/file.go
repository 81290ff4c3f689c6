package planner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/klauspost/compress/zstd"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/weir-project/weir/planner/dirsync"
	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// The plan file is a magic line and zstd-compressed JSON of planV1. The stored types are their own, so that the file
// stays readable when the types in memory change.
const (
	fileMagic    = "weir-plan\n"
	planFormatV1 = 1

	// Limits of what is decoded, whoever wrote it.
	maxPlanSize   = 512 << 20 // bytes, packed or not
	maxPlanRatio  = 200       // unpacked to packed …
	freePlanSize  = 16 << 20  // … of more than this
	maxPlanWindow = 32 << 20  // what the decoder sets aside at the word of a header; our encoder asks for 8 MiB at most
	maxPlanDepth  = 512       // nesting of the JSON: values may nest 100 deep, and a type takes two levels for one of its value
)

// ErrNotPlan says that a file is no plan file at all.
var ErrNotPlan = errors.New("not a plan file")

type planV1 struct {
	Format    int                        `json:"format"`
	ID        string                     `json:"id"`
	Created   time.Time                  `json:"created"`
	Version   string                     `json:"version"`
	Realm     string                     `json:"realm"`
	Lineage   string                     `json:"lineage"`
	Digest    string                     `json:"digest"`
	Destroy   bool                       `json:"destroy,omitempty"`
	Adopted   bool                       `json:"include_adopted,omitempty"`
	Targets   []string                   `json:"targets,omitempty"`
	Excludes  []string                   `json:"excludes,omitempty"`
	Tenants   []string                   `json:"tenants,omitempty"`
	Replace   []string                   `json:"replace,omitempty"`
	Parts     []partV1                   `json:"parts"`
	Variables map[string]json.RawMessage `json:"variables,omitempty"`
	Types     map[string]json.RawMessage `json:"variable_types,omitempty"`
	Sensitive map[string]bool            `json:"sensitive,omitempty"`
	Sources   map[string][]byte          `json:"sources,omitempty"`
}

type partV1 struct {
	Tenant        resource.Identity `json:"tenant"`
	Address       string            `json:"address,omitempty"`
	Status        Status            `json:"status"`
	Serial        uint64            `json:"serial"`
	Lineage       string            `json:"lineage,omitempty"`
	Proofs        []directory.Proof `json:"proofs,omitempty"`
	Changes       []changeV1        `json:"changes,omitempty"`
	Unchanged     int               `json:"unchanged"`
	Drifted       []changeV1        `json:"drifted,omitempty"`
	Accounts      *dirsync.Result   `json:"accounts,omitempty"`
	AccountPolicy string            `json:"account_policy,omitempty"`
	Forecast      *Forecast         `json:"forecast,omitempty"`
	Hosted        *HostedRun        `json:"hosted,omitempty"`
	Allowance     string            `json:"allowance,omitempty"`
	Bookkeeping   bool              `json:"bookkeeping,omitempty"`
	Guards        []Guard           `json:"guards,omitempty"`
	Waits         []Wait            `json:"waits,omitempty"`
	Problems      []string          `json:"problems,omitempty"`
	Notes         []string          `json:"notes,omitempty"`
	Errors        []string          `json:"errors,omitempty"`
	Outputs       []outputV1        `json:"outputs,omitempty"`
	Removed       bool              `json:"removed,omitempty"`
	Former        string            `json:"former_key,omitempty"`
	Omissions     []Omission        `json:"omissions,omitempty"`
}

type changeV1 struct {
	Address        string            `json:"address"`
	Type           string            `json:"type"`
	Name           string            `json:"name,omitempty"`
	ID             resource.ObjectID `json:"id,omitempty"`
	Action         Action            `json:"action"`
	Cause          Cause             `json:"cause,omitempty"`
	Before         *valueV1          `json:"before,omitempty"`
	After          *valueV1          `json:"after,omitempty"`
	Paths          []pathV1          `json:"paths,omitempty"`
	Sensitive      []string          `json:"sensitive,omitempty"`
	Reasons        []string          `json:"reasons,omitempty"`
	Held           string            `json:"held,omitempty"`
	Skipped        string            `json:"skipped,omitempty"`
	Created        bool              `json:"created,omitempty"`
	Dependencies   []string          `json:"dependencies,omitempty"`
	PreventDestroy bool              `json:"prevent_destroy,omitempty"`
	Versions       map[string]string `json:"versions,omitempty"`
	From           string            `json:"from,omitempty"`
	Source         string            `json:"source,omitempty"`
}

type pathV1 struct {
	Path      string   `json:"path"`
	Label     string   `json:"label,omitempty"`
	Before    *valueV1 `json:"before,omitempty"`
	After     *valueV1 `json:"after,omitempty"`
	Cause     Cause    `json:"cause,omitempty"`
	WriteOnly bool     `json:"write_only,omitempty"`
	Sensitive bool     `json:"sensitive,omitempty"`
	Local     bool     `json:"local,omitempty"`
	Forces    bool     `json:"forces_replacement,omitempty"`
}

type outputV1 struct {
	Name      string   `json:"name"`
	Before    *valueV1 `json:"before,omitempty"`
	After     *valueV1 `json:"after,omitempty"`
	Sensitive bool     `json:"sensitive,omitempty"`
}

// valueV1 is a value with its type. Members that are unknown are null in Value and named in Unknown by dotted path, dots
// and backslashes of a name behind a backslash; "" means the whole value is. Capsules are in their stored form: predicates as text, secrets as null.
type valueV1 struct {
	Type    json.RawMessage `json:"type"`
	Value   json.RawMessage `json:"value"`
	Unknown []string        `json:"unknown,omitempty"`
}

// Write writes the plan file. Values of sensitive variables are written as they are: the caller refuses to save them
// where the file is not protected.
func (p *Plan) Write(w io.Writer) error {
	f := planV1{
		Format: planFormatV1, ID: p.ID, Created: p.Created, Version: p.Version, Realm: p.Realm, Lineage: p.Lineage, Digest: p.Digest,
		Destroy: p.Destroy, Adopted: p.IncludeAdopted, Targets: p.Targets, Excludes: p.Excludes, Tenants: p.Tenants, Replace: p.Replace, Sensitive: p.Sensitive, Sources: p.Sources,
		Variables: map[string]json.RawMessage{}, Types: map[string]json.RawMessage{},
	}
	for name, v := range p.Variables {
		e, err := encodeValue(v)
		if err != nil {
			return fmt.Errorf("variable %s: %w", name, err)
		}
		f.Variables[name], f.Types[name] = e.Value, e.Type
	}
	for _, part := range p.Parts {
		stored, err := encodePart(part)
		if err != nil {
			return fmt.Errorf("tenant %q: %w", part.Tenant.Key, err)
		}
		f.Parts = append(f.Parts, stored)
	}
	if _, err := io.WriteString(w, fileMagic); err != nil {
		return err
	}
	z, err := zstd.NewWriter(w)
	if err != nil {
		return err
	}
	// As encoding/json writes it, but straight into the file: with thousands of accounts the text is long.
	return errors.Join(jsonv2.MarshalWrite(z, f, jsonv1.DefaultOptionsV1()), z.Close())
}

// ReadPlan reads a plan file. ErrNotPlan is in the chain when the file is something else; another error says that it
// is damaged or of a newer version.
func ReadPlan(r io.Reader) (*Plan, error) {
	magic := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(r, magic); err != nil || !bytes.Equal(magic, []byte(fileMagic)) {
		return nil, ErrNotPlan
	}
	packed, err := io.ReadAll(io.LimitReader(r, maxPlanSize+1))
	if err != nil {
		return nil, fmt.Errorf("plan file: %w", err)
	}
	data, err := unpackFile("plan file", packed)
	if err != nil {
		return nil, err
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("plan file is damaged: %w", err)
	}
	if head.Format != planFormatV1 {
		return nil, fmt.Errorf("plan file has format %d; this version of Weir reads %d. Plan again", head.Format, planFormatV1)
	}
	var f planV1
	// What this build does not know might be what was approved.
	if err := jsonv2.Unmarshal(data, &f, jsonv1.DefaultOptionsV1(), jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("plan file is damaged: %w", err)
	}
	p := &Plan{
		ID: f.ID, Created: f.Created, Version: f.Version, Realm: f.Realm, Lineage: f.Lineage, Digest: f.Digest, Destroy: f.Destroy, IncludeAdopted: f.Adopted,
		Targets: f.Targets, Excludes: f.Excludes, Tenants: f.Tenants, Replace: f.Replace, Sensitive: f.Sensitive, Sources: f.Sources,
		Variables: map[string]cty.Value{},
	}
	for name, raw := range f.Variables {
		v, err := decodeValue(&valueV1{Type: f.Types[name], Value: raw})
		if err != nil {
			return nil, fmt.Errorf("plan file is damaged: variable %s: %w", name, err)
		}
		p.Variables[name] = v
	}
	for _, stored := range f.Parts {
		part, err := decodePart(stored)
		if err != nil {
			return nil, fmt.Errorf("plan file is damaged: tenant %q: %w", stored.Tenant.Key, err)
		}
		p.Parts = append(p.Parts, part)
	}
	return p, nil
}

// unpackFile decompresses a plan file, or another of its kind (what), within the limits.
func unpackFile(what string, packed []byte) ([]byte, error) {
	limit := min(maxPlanSize, max(freePlanSize, maxPlanRatio*len(packed)))
	if len(packed) > maxPlanSize {
		return nil, fmt.Errorf("%s is larger than %d MiB", what, maxPlanSize>>20)
	}
	z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderMaxMemory(maxPlanSize),
		zstd.WithDecoderMaxWindow(maxPlanWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer z.Close()
	data, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is damaged: %w", what, err)
	case len(data) > limit:
		return nil, fmt.Errorf("%s is damaged: %d KiB unpack to more than %d MiB", what, len(packed)>>10, limit>>20)
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxPlanDepth {
				return nil, fmt.Errorf("%s is damaged: it is nested deeper than %d", what, maxPlanDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return data, nil
}

func encodePart(p *Part) (partV1, error) {
	f := partV1{
		Tenant: p.Tenant, Address: p.Address, Status: p.Status, Serial: p.Serial, Lineage: p.Lineage, Proofs: p.Proofs, Unchanged: p.Unchanged,
		Accounts: p.Accounts, AccountPolicy: p.AccountPolicy, Forecast: p.Forecast, Hosted: p.Hosted, Allowance: p.Allowance, Bookkeeping: p.Bookkeeping, Guards: p.Guards, Waits: p.Waits, Problems: p.Problems, Notes: p.Notes,
		Errors: p.Errors, Removed: p.Removed, Former: p.Former, Omissions: p.Omissions,
	}
	var err error
	if f.Changes, err = encodeChanges(p.Changes); err != nil {
		return f, err
	}
	if f.Drifted, err = encodeChanges(p.Drifted); err != nil {
		return f, err
	}
	for _, o := range p.Outputs {
		stored := outputV1{Name: o.Name, Sensitive: o.Sensitive}
		if stored.Before, err = encodeValue(o.Before); err != nil {
			return f, err
		}
		if stored.After, err = encodeValue(o.After); err != nil {
			return f, err
		}
		f.Outputs = append(f.Outputs, stored)
	}
	return f, nil
}

func decodePart(f partV1) (*Part, error) {
	p := &Part{
		Tenant: f.Tenant, Address: f.Address, Status: f.Status, Serial: f.Serial, Lineage: f.Lineage, Proofs: f.Proofs, Unchanged: f.Unchanged,
		Accounts: f.Accounts, AccountPolicy: f.AccountPolicy, Forecast: f.Forecast, Hosted: f.Hosted, Allowance: f.Allowance, Bookkeeping: f.Bookkeeping, Guards: f.Guards, Waits: f.Waits, Problems: f.Problems, Notes: f.Notes,
		Errors: f.Errors, Removed: f.Removed, Former: f.Former, Omissions: f.Omissions,
	}
	var err error
	if p.Changes, err = decodeChanges(f.Changes); err != nil {
		return nil, err
	}
	if p.Drifted, err = decodeChanges(f.Drifted); err != nil {
		return nil, err
	}
	for _, stored := range f.Outputs {
		o := OutputChange{Name: stored.Name, Sensitive: stored.Sensitive}
		if o.Before, err = decodeValue(stored.Before); err != nil {
			return nil, err
		}
		if o.After, err = decodeValue(stored.After); err != nil {
			return nil, err
		}
		p.Outputs = append(p.Outputs, o)
	}
	return p, nil
}

func encodeChanges(changes []*Change) ([]changeV1, error) {
	var out []changeV1
	for _, c := range changes {
		f := changeV1{
			Address: c.Address, Type: c.Type, Name: c.Name, ID: c.ID, Action: c.Action, Cause: c.Cause, Sensitive: c.Sensitive,
			Reasons: c.Reasons, Held: c.Held, Skipped: c.Skipped, Created: c.Created, Dependencies: c.Dependencies,
			PreventDestroy: c.PreventDestroy, Versions: c.Versions, From: c.From, Source: c.Source,
		}
		var err error
		if f.Before, err = encodeValue(c.Before); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Address, err)
		}
		if f.After, err = encodeValue(c.After); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Address, err)
		}
		for _, p := range c.Paths {
			stored := pathV1{Path: p.Path, Label: p.Label, Cause: p.Cause, WriteOnly: p.WriteOnly, Sensitive: p.Sensitive, Local: p.Local, Forces: p.Forces}
			if stored.Before, err = encodeValue(p.Before); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Address, err)
			}
			if stored.After, err = encodeValue(p.After); err != nil {
				return nil, fmt.Errorf("%s: %w", c.Address, err)
			}
			f.Paths = append(f.Paths, stored)
		}
		out = append(out, f)
	}
	return out, nil
}

func decodeChanges(stored []changeV1) ([]*Change, error) {
	var out []*Change
	for _, f := range stored {
		c := &Change{
			Address: f.Address, Type: f.Type, Name: f.Name, ID: f.ID, Action: f.Action, Cause: f.Cause, Sensitive: f.Sensitive,
			Reasons: f.Reasons, Held: f.Held, Skipped: f.Skipped, Created: f.Created, Dependencies: f.Dependencies,
			PreventDestroy: f.PreventDestroy, Versions: f.Versions, From: f.From, Source: f.Source,
		}
		var err error
		if c.Before, err = decodeValue(f.Before); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Address, err)
		}
		if c.After, err = decodeValue(f.After); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Address, err)
		}
		for _, p := range f.Paths {
			path := PathChange{Path: p.Path, Label: p.Label, Cause: p.Cause, WriteOnly: p.WriteOnly, Sensitive: p.Sensitive, Local: p.Local, Forces: p.Forces}
			if path.Before, err = decodeValue(p.Before); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Address, err)
			}
			if path.After, err = decodeValue(p.After); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Address, err)
			}
			c.Paths = append(c.Paths, path)
		}
		out = append(out, c)
	}
	return out, nil
}

// encodeValue stores a value; nil stands for cty.NilVal.
func encodeValue(v cty.Value) (*valueV1, error) {
	if v == cty.NilVal {
		return nil, nil
	}
	v, _ = v.UnmarkDeep()
	var unknown []string
	known := withoutUnknowns("", v, &unknown)
	sort.Strings(unknown)
	typ, err := ctyjson.MarshalType(known.Type())
	if err != nil {
		return nil, err
	}
	data, err := ctyjson.Marshal(known, known.Type())
	if err != nil {
		return nil, err
	}
	return &valueV1{Type: typ, Value: data, Unknown: unknown}, nil
}

// withoutUnknowns is the stored form of v, with what is unknown as null and named. An unknown inside a collection makes
// the whole collection unknown.
func withoutUnknowns(path string, v cty.Value, unknown *[]string) cty.Value {
	t := v.Type()
	if t.IsObjectType() && v.IsKnown() && !v.IsNull() {
		members := map[string]cty.Value{}
		for name := range t.AttributeTypes() {
			child := unknownName.Replace(name)
			if path != "" {
				child = path + "." + child
			}
			members[name] = withoutUnknowns(child, v.GetAttr(name), unknown)
		}
		return cty.ObjectVal(members)
	}
	if !v.IsWhollyKnown() {
		*unknown = append(*unknown, path)
	}
	return stored(v)
}

func decodeValue(f *valueV1) (cty.Value, error) {
	if f == nil {
		return cty.NilVal, nil
	}
	typ, err := ctyjson.UnmarshalType(f.Type)
	if err != nil {
		return cty.NilVal, err
	}
	v, err := ctyjson.Unmarshal(f.Value, typ)
	if err != nil {
		return cty.NilVal, err
	}
	for _, path := range f.Unknown {
		if v, err = withUnknown(v, path); err != nil {
			return cty.NilVal, err
		}
	}
	return v, nil
}

// unknownName makes a name part of a path of valueV1.Unknown.
var unknownName = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// withUnknown makes the member of v at a path of valueV1.Unknown unknown.
func withUnknown(v cty.Value, path string) (cty.Value, error) {
	if path == "" {
		return cty.UnknownVal(v.Type()), nil
	}
	var name strings.Builder
	i := 0
	for ; i < len(path) && path[i] != '.'; i++ {
		if path[i] == '\\' && i+1 < len(path) {
			i++
		}
		name.WriteByte(path[i])
	}
	rest := strings.TrimPrefix(path[i:], ".")
	if !v.IsKnown() || v.IsNull() || !v.Type().IsObjectType() || !v.Type().HasAttribute(name.String()) {
		return v, fmt.Errorf("no attribute %q", path)
	}
	members := v.AsValueMap()
	inner, err := withUnknown(members[name.String()], rest)
	if err != nil {
		return v, err
	}
	members[name.String()] = inner
	return cty.ObjectVal(members), nil
}
