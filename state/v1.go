package state

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// The stored form, version 1. These types are the file format and are apart from
// the types in memory: a change here is a new version with types of its own, and
// this file stays to read the old one.

const formatV1 = 1

// partV1 is one part of a stored state. The first part has everything but the
// accounts, which are spread over the parts by their address.
type partV1 struct {
	Format  int    `json:"format"`
	Part    int    `json:"part"`
	Of      int    `json:"of"`
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"`

	State    *stateV1     `json:"state,omitempty"`
	Accounts []*accountV1 `json:"accounts,omitempty"`
}

type stateV1 struct {
	Realm      string               `json:"realm"`
	Tenant     tenantV1             `json:"tenant"`
	VersionKey []byte               `json:"version_key"`
	Objects    []objectV1           `json:"objects,omitempty"`
	Outputs    map[string]outputV1  `json:"outputs,omitempty"`
	Skips      []skipV1             `json:"skips,omitempty"`
	Removals   []removalV1          `json:"removals,omitempty"`
	Allowances map[string]time.Time `json:"allowances,omitempty"`
	Applied    *appliedV1           `json:"applied,omitempty"`
	Hosted     *hostedV1            `json:"hosted,omitempty"`
	InDoubt    []intentV1           `json:"in_doubt,omitempty"`
}

type tenantV1 struct {
	Address        string                `json:"address,omitempty"`
	Key            string                `json:"key"`
	PrimaryDomain  string                `json:"primary_domain,omitempty"`
	OrganizationID string                `json:"organization_id,omitempty"`
	EntraTenantID  string                `json:"entra_tenant_id,omitempty"`
	Configuration  string                `json:"configuration,omitempty"`
	Providers      map[string]providerV1 `json:"providers,omitempty"`
}

type providerV1 struct {
	Type      string                     `json:"type"`
	Name      string                     `json:"name"`
	Arguments map[string]json.RawMessage `json:"arguments,omitempty"`
	Secrets   map[string]string          `json:"secrets,omitempty"`
}

type objectV1 struct {
	Address        string            `json:"address"`
	Type           string            `json:"type"`
	ID             string            `json:"id,omitempty"`
	Provider       string            `json:"provider,omitempty"`
	Values         json.RawMessage   `json:"values,omitempty"`
	Sensitive      []string          `json:"sensitive,omitempty"`
	Versions       map[string]string `json:"versions,omitempty"`
	Undelivered    []string          `json:"undelivered,omitempty"`
	Ownership      Ownership         `json:"ownership"`
	PreventDestroy bool              `json:"prevent_destroy,omitempty"`
	Dependencies   []string          `json:"dependencies,omitempty"`
	SettleUntil    time.Time         `json:"settle_until,omitzero"`
	Previous       json.RawMessage   `json:"previous,omitempty"`
	Bindings       []bindingV1       `json:"bindings,omitempty"`
	Op             string            `json:"op,omitempty"`
	Created        time.Time         `json:"created,omitzero"`
	Updated        time.Time         `json:"updated,omitzero"`
}

type bindingV1 struct {
	Address  string `json:"address"`
	UID      int    `json:"uid,omitempty"`
	ObjectID string `json:"object_id,omitempty"`
}

type accountV1 struct {
	Address     string    `json:"address"`
	UID         int       `json:"uid,omitempty"`
	ObjectID    string    `json:"object_id,omitempty"`
	Policy      string    `json:"policy,omitempty"`
	Hash        string    `json:"hash,omitempty"`
	Ownership   Ownership `json:"ownership"`
	Type        string    `json:"type,omitempty"`
	Active      bool      `json:"active,omitempty"`
	Aliases     []string  `json:"aliases,omitempty"`
	Kind        string    `json:"kind,omitempty"`
	Converted   bool      `json:"converted,omitempty"`
	Disabled    bool      `json:"disabled,omitempty"`
	GoneSince   time.Time `json:"gone_since,omitzero"`
	SettleUntil time.Time `json:"settle_until,omitzero"`
}

type outputV1 struct {
	Value     json.RawMessage `json:"value,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
}

type skipV1 struct {
	Address  string    `json:"address"`
	Mail     string    `json:"mail,omitempty"`
	UID      int       `json:"uid,omitempty"`
	ObjectID string    `json:"object_id,omitempty"`
	Action   string    `json:"action,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"`
	Created  time.Time `json:"created,omitzero"`
}

type removalV1 struct {
	Mail string      `json:"mail"`
	Kind RemovalKind `json:"kind"`
	Op   string      `json:"op,omitempty"`
	Time time.Time   `json:"time"`
}

type appliedV1 struct {
	Safeguard json.RawMessage `json:"safeguard,omitempty"`
	Known     bool            `json:"known,omitempty"`
	Synced    time.Time       `json:"synced,omitzero"`
}

type hostedV1 struct {
	Policy   string            `json:"policy"`
	At       time.Time         `json:"at"`
	LastRun  string            `json:"last_run,omitempty"`
	Fails    string            `json:"fails,omitempty"`
	Digest   string            `json:"digest,omitempty"`
	Accounts []hostedAccountV1 `json:"accounts,omitempty"`
	More     int               `json:"more,omitempty"`
}

type hostedAccountV1 struct {
	Address string `json:"address"`
	Effect  string `json:"effect"`
	Digest  string `json:"digest,omitempty"`
	Doubt   bool   `json:"doubt,omitempty"`
}

type batchV1 struct {
	Format  int       `json:"format"`
	Tenant  string    `json:"tenant"`
	Lineage string    `json:"lineage"`
	Epoch   uint64    `json:"epoch"`
	Slot    uint64    `json:"slot"`
	Run     string    `json:"run"`
	Nonce   string    `json:"nonce"`
	Entries []entryV1 `json:"entries"`
}

type entryV1 struct {
	Intent  *intentV1  `json:"intent,omitempty"`
	Outcome *outcomeV1 `json:"outcome,omitempty"`
	Note    *noteV1    `json:"note,omitempty"`
	Seal    *sealV1    `json:"seal,omitempty"`
}

type intentV1 struct {
	Op         string    `json:"op"`
	Address    string    `json:"address"`
	Mail       string    `json:"mail,omitempty"`
	Type       string    `json:"type,omitempty"`
	Action     string    `json:"action,omitempty"`
	NaturalKey string    `json:"natural_key,omitempty"`
	ID         string    `json:"id,omitempty"`
	Digest     string    `json:"digest,omitempty"`
	Counts     []string  `json:"counts,omitempty"`
	Time       time.Time `json:"time,omitzero"`
}

type outcomeV1 struct {
	Op       string      `json:"op"`
	Address  string      `json:"address"`
	Mail     string      `json:"mail,omitempty"`
	Type     string      `json:"type,omitempty"`
	Action   string      `json:"action,omitempty"`
	Result   Result      `json:"result"`
	Object   *objectV1   `json:"object,omitempty"`
	Account  *accountV1  `json:"account,omitempty"`
	Deleted  bool        `json:"deleted,omitempty"`
	Removals []removalV1 `json:"removals,omitempty"`
	Error    string      `json:"error,omitempty"`
	Time     time.Time   `json:"time,omitzero"`
}

type noteV1 struct {
	Text      string              `json:"text,omitempty"`
	Moved     []renameV1          `json:"moved,omitempty"`
	Outputs   map[string]outputV1 `json:"outputs,omitempty"`
	Tenant    *tenantV1           `json:"tenant,omitempty"`
	Skips     *[]skipV1           `json:"skips,omitempty"`
	Allowance string              `json:"allowance,omitempty"`
	Applied   *appliedV1          `json:"applied,omitempty"`
	Hosted    *hostedV1           `json:"hosted,omitempty"`
	Time      time.Time           `json:"time,omitzero"`
}

type renameV1 struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type sealV1 struct {
	Epoch uint64    `json:"epoch"`
	Run   string    `json:"run"`
	Time  time.Time `json:"time,omitzero"`
}

// Conversions to the stored form. They fail only on values that have no stored
// form: unknown ones and ones with marks.

func storeState(s *State) (*stateV1, error) {
	v := &stateV1{
		Realm:      s.Realm,
		Tenant:     storeTenant(s.Tenant),
		VersionKey: s.VersionKey,
		Skips:      storeSkips(s.Skips),
		Removals:   storeRemovals(s.Removals),
		Allowances: s.Allowances,
		Hosted:     storeHosted(s.Hosted),
	}
	for _, address := range s.Addresses() {
		o, err := storeObject(s.Objects[address])
		if err != nil {
			return nil, err
		}
		v.Objects = append(v.Objects, *o)
	}
	outputs, err := storeOutputs(s.Outputs)
	if err != nil {
		return nil, err
	}
	v.Outputs = outputs
	if v.Applied, err = storeApplied(s.Applied); err != nil {
		return nil, err
	}
	for _, i := range s.Doubts() {
		v.InDoubt = append(v.InDoubt, intentV1(i))
	}
	return v, nil
}

func storeTenant(t TenantMeta) tenantV1 {
	v := tenantV1{
		Address: t.Address, Key: t.Key, PrimaryDomain: t.PrimaryDomain, OrganizationID: t.OrganizationID,
		EntraTenantID: t.EntraTenantID, Configuration: t.Configuration,
	}
	if t.Providers != nil {
		v.Providers = make(map[string]providerV1, len(t.Providers))
		for address, p := range t.Providers {
			v.Providers[address] = providerV1(p)
		}
	}
	return v
}

func storeObject(o *Object) (*objectV1, error) {
	values, err := storeValue(o.Values)
	if err != nil {
		return nil, fmt.Errorf("object %s cannot be stored: %w", o.Address, err)
	}
	previous, err := storeValue(o.Previous)
	if err != nil {
		return nil, fmt.Errorf("previous values of %s cannot be stored: %w", o.Address, err)
	}
	return &objectV1{
		Address: o.Address, Type: o.Type, ID: o.ID, Provider: o.Provider,
		Values: values, Sensitive: o.Sensitive, Versions: o.Versions, Undelivered: o.Undelivered,
		Ownership: o.Ownership, PreventDestroy: o.PreventDestroy, Dependencies: o.Dependencies,
		SettleUntil: o.SettleUntil, Previous: previous, Bindings: storeBindings(o.Bindings), Op: o.Op, Created: o.Created, Updated: o.Updated,
	}, nil
}

func storeOutputs(outputs map[string]Output) (map[string]outputV1, error) {
	if outputs == nil {
		return nil, nil
	}
	v := make(map[string]outputV1, len(outputs))
	for name, o := range outputs {
		value, err := storeValue(o.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s cannot be stored: %w", name, err)
		}
		v[name] = outputV1{Value: value, Sensitive: o.Sensitive}
	}
	return v, nil
}

// storeValue keeps a value together with its type.
func storeValue(v cty.Value) (json.RawMessage, error) {
	if v == cty.NilVal {
		return nil, nil
	}
	if v.ContainsMarked() {
		return nil, fmt.Errorf("the value has marks; remove them and name its attributes in Sensitive")
	}
	if !v.IsWhollyKnown() {
		return nil, fmt.Errorf("the value is not wholly known")
	}
	if err := checkNumbers(v); err != nil {
		return nil, err
	}
	return ctyjson.Marshal(v, cty.DynamicPseudoType)
}

// checkNumbers refuses infinities, which JSON does not have, and numbers so
// large or small that writing their digits out would take the memory.
func checkNumbers(v cty.Value) error {
	return cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() != cty.Number || v.IsNull() || !v.IsKnown() {
			return true, nil
		}
		f := v.AsBigFloat()
		if exp := f.MantExp(nil); f.IsInf() || exp > 8192 || exp < -8192 {
			return false, fmt.Errorf("a number is out of range")
		}
		return true, nil
	})
}

func storeBindings(bindings []Binding) []bindingV1 {
	return convert(bindings, func(b Binding) bindingV1 { return bindingV1(b) })
}

func storeSkips(skips []Skip) []skipV1 {
	return convert(skips, func(s Skip) skipV1 { return skipV1(s) })
}

func storeRemovals(removals []Removal) []removalV1 {
	return convert(removals, func(r Removal) removalV1 { return removalV1(r) })
}

func storeEntry(e Entry) (entryV1, error) {
	switch {
	case e.Intent != nil:
		v := intentV1(*e.Intent)
		return entryV1{Intent: &v}, nil
	case e.Outcome != nil:
		v, err := storeOutcome(e.Outcome)
		return entryV1{Outcome: v}, err
	case e.Note != nil:
		v, err := storeNote(e.Note)
		return entryV1{Note: v}, err
	case e.Seal != nil:
		v := sealV1(*e.Seal)
		return entryV1{Seal: &v}, nil
	}
	return entryV1{}, fmt.Errorf("empty journal entry")
}

func storeOutcome(o *Outcome) (*outcomeV1, error) {
	v := &outcomeV1{
		Op: o.Op, Address: o.Address, Mail: o.Mail, Type: o.Type, Action: o.Action, Result: o.Result,
		Deleted: o.Deleted, Removals: storeRemovals(o.Removals), Error: o.Error, Time: o.Time,
	}
	if o.Object != nil {
		object, err := storeObject(o.Object)
		if err != nil {
			return nil, err
		}
		v.Object = object
	}
	if o.Account != nil {
		account := accountV1(*o.Account)
		v.Account = &account
	}
	return v, nil
}

func storeNote(n *Note) (*noteV1, error) {
	outputs, err := storeOutputs(n.Outputs)
	if err != nil {
		return nil, err
	}
	v := &noteV1{
		Text: n.Text, Outputs: outputs, Allowance: n.Allowance, Hosted: storeHosted(n.Hosted), Time: n.Time,
		Moved: convert(n.Moved, func(r Rename) renameV1 { return renameV1(r) }),
	}
	if n.Tenant != nil {
		tenant := storeTenant(*n.Tenant)
		v.Tenant = &tenant
	}
	if n.Skips != nil {
		skips := storeSkips(*n.Skips)
		v.Skips = &skips
	}
	if n.Applied != nil {
		if v.Applied, err = storeApplied(*n.Applied); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func storeApplied(a Applied) (*appliedV1, error) {
	if a.Equal(Applied{}) {
		return nil, nil
	}
	safeguard, err := storeValue(a.Safeguard)
	if err != nil {
		return nil, fmt.Errorf("the safeguard cannot be stored: %w", err)
	}
	return &appliedV1{Safeguard: safeguard, Known: a.Known, Synced: a.Synced}, nil
}

// Conversions from the stored form.

func (v *appliedV1) load() (Applied, error) {
	if v == nil {
		return Applied{}, nil
	}
	safeguard, err := loadValue(v.Safeguard)
	return Applied{Safeguard: safeguard, Known: v.Known, Synced: v.Synced}, err
}

func (v *stateV1) load(s *State) error {
	s.Realm = v.Realm
	s.Tenant = v.Tenant.load()
	s.VersionKey = v.VersionKey
	s.Skips = loadSkips(v.Skips)
	s.Removals = loadRemovals(v.Removals)
	s.Allowances = v.Allowances
	s.Hosted = v.Hosted.load()
	for i := range v.Objects {
		o, err := v.Objects[i].load()
		if err != nil {
			return err
		}
		if s.Objects == nil {
			s.Objects = make(map[string]*Object, len(v.Objects))
		}
		if s.Objects[o.Address] != nil {
			return fmt.Errorf("object %q is there twice", o.Address)
		}
		s.Objects[o.Address] = o
	}
	outputs, err := loadOutputs(v.Outputs)
	if err != nil {
		return err
	}
	s.Outputs = outputs
	if s.Applied, err = v.Applied.load(); err != nil {
		return err
	}
	for _, i := range v.InDoubt {
		if err := s.intend(Intent(i)); err != nil {
			return err
		}
	}
	return nil
}

func (v tenantV1) load() TenantMeta {
	t := TenantMeta{
		Address: v.Address, Key: v.Key, PrimaryDomain: v.PrimaryDomain, OrganizationID: v.OrganizationID,
		EntraTenantID: v.EntraTenantID, Configuration: v.Configuration,
	}
	if v.Providers != nil {
		t.Providers = make(map[string]Provider, len(v.Providers))
		for address, p := range v.Providers {
			t.Providers[address] = Provider(p)
		}
	}
	return t
}

func (v *objectV1) load() (*Object, error) {
	if v.Address == "" {
		return nil, fmt.Errorf("an object has no address")
	}
	values, err := loadValue(v.Values)
	if err != nil {
		return nil, fmt.Errorf("values of %s: %w", v.Address, err)
	}
	previous, err := loadValue(v.Previous)
	if err != nil {
		return nil, fmt.Errorf("previous values of %s: %w", v.Address, err)
	}
	return &Object{
		Address: v.Address, Type: v.Type, ID: v.ID, Provider: v.Provider,
		Values: values, Sensitive: v.Sensitive, Versions: v.Versions, Undelivered: v.Undelivered,
		Ownership: v.Ownership, PreventDestroy: v.PreventDestroy, Dependencies: v.Dependencies,
		SettleUntil: v.SettleUntil, Previous: previous, Op: v.Op, Created: v.Created, Updated: v.Updated,
		Bindings: convert(v.Bindings, func(b bindingV1) Binding { return Binding(b) }),
	}, nil
}

func loadOutputs(v map[string]outputV1) (map[string]Output, error) {
	if v == nil {
		return nil, nil
	}
	outputs := make(map[string]Output, len(v))
	for name, o := range v {
		value, err := loadValue(o.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", name, err)
		}
		outputs[name] = Output{Value: value, Sensitive: o.Sensitive}
	}
	return outputs, nil
}

func loadValue(raw json.RawMessage) (cty.Value, error) {
	if len(raw) == 0 {
		return cty.NilVal, nil
	}
	v, err := ctyjson.Unmarshal(raw, cty.DynamicPseudoType)
	if err != nil {
		return cty.NilVal, err
	}
	return v, checkNumbers(v)
}

func loadSkips(v []skipV1) []Skip {
	return convert(v, func(s skipV1) Skip { return Skip(s) })
}

func loadRemovals(v []removalV1) []Removal {
	return convert(v, func(r removalV1) Removal { return Removal(r) })
}

func (v entryV1) load() (Entry, error) {
	set := 0
	for _, there := range []bool{v.Intent != nil, v.Outcome != nil, v.Note != nil, v.Seal != nil} {
		if there {
			set++
		}
	}
	if set != 1 {
		return Entry{}, fmt.Errorf("a journal entry is %d things at once", set)
	}
	switch {
	case v.Intent != nil:
		i := Intent(*v.Intent)
		return Entry{Intent: &i}, nil
	case v.Outcome != nil:
		o, err := v.Outcome.load()
		return Entry{Outcome: o}, err
	case v.Note != nil:
		n, err := v.Note.load()
		return Entry{Note: n}, err
	default:
		s := Seal(*v.Seal)
		return Entry{Seal: &s}, nil
	}
}

func (v *outcomeV1) load() (*Outcome, error) {
	o := &Outcome{
		Op: v.Op, Address: v.Address, Mail: v.Mail, Type: v.Type, Action: v.Action, Result: v.Result,
		Deleted: v.Deleted, Removals: loadRemovals(v.Removals), Error: v.Error, Time: v.Time,
	}
	if v.Object != nil {
		object, err := v.Object.load()
		if err != nil {
			return nil, err
		}
		o.Object = object
	}
	if v.Account != nil {
		account := Account(*v.Account)
		o.Account = &account
	}
	return o, nil
}

func (v *noteV1) load() (*Note, error) {
	outputs, err := loadOutputs(v.Outputs)
	if err != nil {
		return nil, err
	}
	n := &Note{
		Text: v.Text, Outputs: outputs, Allowance: v.Allowance, Hosted: v.Hosted.load(), Time: v.Time,
		Moved: convert(v.Moved, func(r renameV1) Rename { return Rename(r) }),
	}
	if v.Tenant != nil {
		tenant := v.Tenant.load()
		n.Tenant = &tenant
	}
	if v.Skips != nil {
		skips := loadSkips(*v.Skips)
		n.Skips = &skips
	}
	if v.Applied != nil {
		applied, err := v.Applied.load()
		if err != nil {
			return nil, err
		}
		n.Applied = &applied
	}
	return n, nil
}

// convert maps a slice, keeping nil nil.
func convert[A, B any](in []A, f func(A) B) []B {
	if in == nil {
		return nil
	}
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}
