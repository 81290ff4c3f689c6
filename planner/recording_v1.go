package planner

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// The stored form of a recording, format 1. It is its own, so that the file stays readable when the types in memory
// change.
type recordingV1 struct {
	Format       int                  `json:"format"`
	Made         time.Time            `json:"made"`
	Version      string               `json:"version"`
	Realm        string               `json:"realm"`
	Pseudonymous bool                 `json:"pseudonymous,omitempty"`
	Tenant       recordedTenantV1     `json:"tenant"`
	Objects      map[string]readingV1 `json:"objects"`
	Directory    *directoryV1         `json:"directory,omitempty"`
	DirectoryErr *failureV1           `json:"directory_error,omitempty"`
	Accounts     *accountsV1          `json:"accounts,omitempty"`
	AccountsErr  *failureV1           `json:"accounts_error,omitempty"`
	Cloud        string               `json:"cloud,omitempty"`
	CloudErr     *failureV1           `json:"cloud_error,omitempty"`
	Mail         map[string]mailV1    `json:"mail,omitempty"`
	Data         []dataV1             `json:"data,omitempty"`
	State        json.RawMessage      `json:"state,omitempty"`
}

type recordedTenantV1 struct {
	Key           string `json:"key"`
	Name          string `json:"name"`
	PrimaryDomain string `json:"primary_domain"`
	Parent        string `json:"parent,omitempty"`
	EntraTenantID string `json:"entra_tenant_id,omitempty"`
	Stack         string `json:"stack,omitempty"`
	VendorData    string `json:"vendor_data,omitempty"`
}

type readingV1 struct {
	Live []liveV1   `json:"live,omitempty"`
	Err  *failureV1 `json:"error,omitempty"`
}

type liveV1 struct {
	ID    string   `json:"id"`
	Name  string   `json:"name,omitempty"`
	Value *valueV1 `json:"value"`
}

// failureV1 is why something could not be read: the text, and which of the kinds of resource.Error it was.
type failureV1 struct {
	Text string `json:"text"`
	Kind string `json:"kind,omitempty"`
}

type directoryV1 struct {
	Entries  []recordedEntryV1 `json:"entries"`
	Groups   []recordedEntryV1 `json:"groups,omitempty"`
	Domains  []string          `json:"domains,omitempty"`
	NoDomain bool              `json:"domains_unknown,omitempty"`
	KindsErr *failureV1        `json:"kinds_error,omitempty"`
	Notes    []string          `json:"notes,omitempty"`
	Proof    proofV1           `json:"proof"`
}

// recordedEntryV1 has the fields of directory.Entry.
type recordedEntryV1 struct {
	ObjectID      string         `json:"id,omitempty"`
	Kind          directory.Kind `json:"kind,omitempty"`
	Address       string         `json:"address,omitempty"`
	Aliases       []string       `json:"aliases,omitempty"`
	UPN           string         `json:"upn,omitempty"`
	Enabled       bool           `json:"enabled,omitempty"`
	Licensed      bool           `json:"licensed,omitempty"`
	OnPremises    bool           `json:"on_premises,omitempty"`
	HasProxy      bool           `json:"has_proxy,omitempty"`
	Name          string         `json:"name,omitempty"`
	GivenName     string         `json:"given_name,omitempty"`
	Surname       string         `json:"surname,omitempty"`
	Department    string         `json:"department,omitempty"`
	JobTitle      string         `json:"job_title,omitempty"`
	Company       string         `json:"company,omitempty"`
	Office        string         `json:"office,omitempty"`
	EmployeeID    string         `json:"employee_id,omitempty"`
	Mobile        string         `json:"mobile,omitempty"`
	UsageLocation string         `json:"usage_location,omitempty"`
	Groups        []string       `json:"groups,omitempty"`
	Members       []string       `json:"members,omitempty"`
	MembersHidden bool           `json:"members_hidden,omitempty"`
	Created       time.Time      `json:"created,omitzero"`
}

type accountsV1 struct {
	Accounts []recordedAccountV1 `json:"accounts"`
	Proof    proofV1             `json:"proof"`
	Counted  int                 `json:"counted,omitempty"`
}

// recordedAccountV1 has the fields of directory.Account.
type recordedAccountV1 struct {
	UID       int                   `json:"uid,omitempty"`
	Address   string                `json:"address"`
	Type      directory.AccountType `json:"type"`
	Active    bool                  `json:"active,omitempty"`
	FirstName string                `json:"first_name,omitempty"`
	Surname   string                `json:"surname,omitempty"`
	Aliases   []string              `json:"aliases,omitempty"`
	Billable  bool                  `json:"billable,omitempty"`
}

type proofV1 struct {
	Complete bool      `json:"complete"`
	Problem  string    `json:"problem,omitempty"`
	Source   string    `json:"source,omitempty"`
	Pages    int       `json:"pages,omitempty"`
	Objects  int       `json:"objects,omitempty"`
	Count    int       `json:"count"`
	Hash     string    `json:"hash,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Parts    []proofV1 `json:"parts,omitempty"`
	Base     *baseV1   `json:"base,omitempty"`
	Changed  int       `json:"changed,omitempty"`
	Goes     bool      `json:"continued,omitempty"`
}

// baseV1 has the fields of directory.Base.
type baseV1 struct {
	Generation string    `json:"generation"`
	Hash       string    `json:"hash"`
	Objects    int       `json:"objects"`
	At         time.Time `json:"at"`
	Full       time.Time `json:"full"`
}

// mailV1 has the fields of resource.DomainFacts.
type mailV1 struct {
	MXAtGateway *bool    `json:"mx_at_gateway,omitempty"`
	SPFReady    *bool    `json:"spf_ready,omitempty"`
	TXT         []string `json:"txt,omitempty"`
	Problem     string   `json:"problem,omitempty"`
}

type dataV1 struct {
	Type   string     `json:"type"`
	Config *valueV1   `json:"config"`
	Value  *valueV1   `json:"value,omitempty"`
	Err    *failureV1 `json:"error,omitempty"`
}

// failureKinds are the kinds of error that decisions look at.
var failureKinds = map[string]error{
	"absent": resource.ErrAbsent, "denied": resource.ErrDenied, "unavailable": resource.ErrUnavailable, "ambiguous": resource.ErrAmbiguous,
}

// recordedError is a failure as the recorded run met with it.
type recordedError struct {
	text string
	kind error
}

func (e *recordedError) Error() string { return e.text }
func (e *recordedError) Unwrap() error { return e.kind }

func storeFailure(err error) *failureV1 {
	if err == nil {
		return nil
	}
	f := &failureV1{Text: err.Error()}
	for _, name := range slices.Sorted(maps.Keys(failureKinds)) {
		if errors.Is(err, failureKinds[name]) {
			f.Kind = name
		}
	}
	return f
}

func (f *failureV1) load() error {
	if f == nil {
		return nil
	}
	return &recordedError{text: f.Text, kind: failureKinds[f.Kind]}
}

func storeProof(p directory.Proof) proofV1 {
	out := proofV1{Complete: p.Complete, Problem: p.Problem, Source: p.Source, Pages: p.Pages, Objects: p.Objects, Count: p.Count, Hash: p.Hash, At: p.At, Changed: p.Changed, Goes: p.Continued}
	if p.Base != nil {
		base := baseV1(*p.Base)
		out.Base = &base
	}
	for _, part := range p.Parts {
		out.Parts = append(out.Parts, storeProof(part))
	}
	return out
}

func (p proofV1) load() directory.Proof {
	out := directory.Proof{Complete: p.Complete, Problem: p.Problem, Source: p.Source, Pages: p.Pages, Objects: p.Objects, Count: p.Count, Hash: p.Hash, At: p.At, Changed: p.Changed, Continued: p.Goes}
	if p.Base != nil {
		base := directory.Base(*p.Base)
		out.Base = &base
	}
	for _, part := range p.Parts {
		out.Parts = append(out.Parts, part.load())
	}
	return out
}

func storeEntries(list []*directory.Entry) []recordedEntryV1 {
	out := make([]recordedEntryV1, 0, len(list))
	for _, e := range list {
		if e != nil {
			out = append(out, recordedEntryV1(*e))
		}
	}
	return out
}

func loadEntries(list []recordedEntryV1) []*directory.Entry {
	out := make([]*directory.Entry, len(list))
	for i := range list {
		e := directory.Entry(list[i])
		out[i] = &e
	}
	return out
}

func storeRecording(r *Recording) (*recordingV1, error) {
	o := r.Observed
	f := &recordingV1{
		Format: recordingFormatV1, Made: r.Made, Version: r.Version, Realm: r.Realm, Pseudonymous: r.Pseudonymous, Tenant: recordedTenantV1(r.Tenant),
		Objects: map[string]readingV1{}, DirectoryErr: storeFailure(o.DirectoryErr), AccountsErr: storeFailure(o.AccountsErr), Cloud: o.Cloud, CloudErr: storeFailure(o.CloudErr), Mail: map[string]mailV1{},
	}
	for name, reading := range o.Objects {
		stored := readingV1{Err: storeFailure(reading.Err)}
		for _, l := range reading.Live {
			v, err := encodeValue(l.Value)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", name, l.ID, err)
			}
			stored.Live = append(stored.Live, liveV1{ID: string(l.ID), Name: l.Name, Value: v})
		}
		f.Objects[name] = stored
	}
	if d := o.Directory; d != nil {
		f.Directory = &directoryV1{Entries: storeEntries(d.Entries), Groups: storeEntries(d.Groups), Domains: d.Domains, NoDomain: d.Domains == nil,
			KindsErr: storeFailure(d.KindsErr), Notes: d.Notes, Proof: storeProof(d.Proof)}
	}
	if a := o.Accounts; a != nil {
		f.Accounts = &accountsV1{Proof: storeProof(a.Proof), Counted: a.Counted, Accounts: make([]recordedAccountV1, 0, len(a.Accounts))}
		for _, x := range a.Accounts {
			f.Accounts.Accounts = append(f.Accounts.Accounts, recordedAccountV1(*x))
		}
	}
	for name, m := range o.Mail {
		f.Mail[name] = mailV1(m)
	}
	for _, a := range r.Data {
		stored := dataV1{Type: a.Type, Err: storeFailure(a.Err)}
		var err error
		if stored.Config, err = encodeValue(a.Config); err != nil {
			return nil, err
		}
		if stored.Value, err = encodeValue(a.Value); err != nil {
			return nil, err
		}
		f.Data = append(f.Data, stored)
	}
	if prior := shareable(r.Prior); prior != nil {
		document, err := state.EncodeDocument(prior)
		if err != nil {
			return nil, err
		}
		f.State = document
	}
	return f, nil
}

func (f *recordingV1) load(registry *resource.Registry) (*Recording, error) {
	if f.Made.IsZero() || f.Tenant.Key == "" {
		return nil, errors.New("it names no time or no tenant")
	}
	o := &Observation{Objects: map[string]Reading{}, At: f.Made, DirectoryErr: f.DirectoryErr.load(), AccountsErr: f.AccountsErr.load(), Cloud: f.Cloud, CloudErr: f.CloudErr.load(), Mail: resource.MailFacts{}}
	r := &Recording{Made: f.Made, Version: f.Version, Realm: f.Realm, Pseudonymous: f.Pseudonymous, Tenant: resource.Identity(f.Tenant), Observed: o}
	for name, stored := range f.Objects {
		t := registry.Type(name)
		if t == nil {
			continue // a type that this version does not know cannot be asked about either
		}
		reading := Reading{Err: stored.Err.load()}
		for _, l := range stored.Live {
			v, err := decodeValue(l.Value)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", name, l.ID, err)
			}
			reading.Live = append(reading.Live, resource.Live{ID: resource.ObjectID(l.ID), Name: l.Name, Value: conformed(t.Attributes, v)})
		}
		o.Objects[name] = reading
	}
	if d := f.Directory; d != nil {
		o.Directory = &directory.Reading{Entries: loadEntries(d.Entries), Groups: loadEntries(d.Groups), Domains: d.Domains, KindsErr: d.KindsErr.load(), Notes: d.Notes, Proof: d.Proof.load()}
		if !d.NoDomain && d.Domains == nil {
			o.Directory.Domains = []string{}
		}
	}
	if a := f.Accounts; a != nil {
		o.Accounts = &directory.AccountReading{Proof: a.Proof.load(), Counted: a.Counted, Accounts: make([]*directory.Account, 0, len(a.Accounts))}
		for _, x := range a.Accounts {
			account := directory.Account(x)
			o.Accounts.Accounts = append(o.Accounts.Accounts, &account)
		}
	}
	for name, m := range f.Mail {
		o.Mail[name] = resource.DomainFacts(m)
	}
	for _, stored := range f.Data {
		a := DataAnswer{Type: stored.Type, Err: stored.Err.load()}
		var err error
		if a.Config, err = decodeValue(stored.Config); err != nil {
			return nil, err
		}
		if a.Config == cty.NilVal {
			return nil, fmt.Errorf("an answer of data %q has no arguments", stored.Type)
		}
		if a.Value, err = decodeValue(stored.Value); err != nil {
			return nil, err
		}
		if t := registry.Data(stored.Type); t != nil && a.Value != cty.NilVal {
			a.Value = conformed(t.Attributes, a.Value)
		}
		r.Data = append(r.Data, a)
	}
	if len(f.State) > 0 && string(f.State) != "null" {
		prior, err := state.DecodeDocument(f.State)
		if err != nil {
			return nil, err
		}
		r.Prior = prior
	}
	return r, nil
}
