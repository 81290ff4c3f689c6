package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/state"
)

// specimenAccounts is how many accounts a specimen has: few, so that each byte of its objects can be tried.
const specimenAccounts = 12

// specimen puts a tenant into s with an object of every kind and every member set: three runs that ended well, a
// history, and a fourth run that died with a checkpoint behind it, a journal after that, and an operation in doubt.
func specimen(tb testing.TB, s Store, key string, o Options) {
	tb.Helper()
	o.Clock = newFakeClock()
	b := NewBucket(s, o)
	b.probed = true
	tn, err := b.Tenant(key)
	if err != nil {
		tb.Fatal(err)
	}
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	account := func(i int) state.Outcome {
		a := &state.Account{
			Address: fmt.Sprintf("person%03d@contoso.example", i), UID: 1000 + i, ObjectID: fmt.Sprintf("o-%d", i),
			Policy: "sync_policy.people", Hash: digest(fmt.Append(nil, i))[:27], Ownership: state.Created, Type: "end_user",
			Active: true, Aliases: []string{fmt.Sprintf("p%03d@contoso.example", i)}, Kind: "user", SettleUntil: noon,
		}
		return state.Outcome{Op: fmt.Sprintf("account-%d", i), Address: a.Policy, Mail: a.Address, Type: "account", Action: "create",
			Result: state.Done, Account: a, Time: noon}
	}
	object := done(100)
	object.Object = &state.Object{
		Address: object.Address, Type: "domain", ID: "contoso.example", Provider: "provider.essentials.us1", Ownership: state.Adopted,
		Values: cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal("contoso.example"), "port": cty.NumberIntVal(25), "hosts": cty.SetVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
			"password": cty.NullVal(cty.String), "more": cty.ListValEmpty(cty.Bool),
		}),
		Previous:  cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("contoso.example")}),
		Sensitive: []string{"name"}, Versions: map[string]string{"password": "hmac:00"}, Undelivered: []string{"secret"},
		PreventDestroy: true, Dependencies: []string{"tenant.contoso"}, SettleUntil: noon, Op: "op-100", Created: noon, Updated: noon,
		Bindings: []state.Binding{{Address: "person001@contoso.example", UID: 1001, ObjectID: "o-1"}},
	}
	failed := done(101)
	failed.Result, failed.Error, failed.Object = state.Failed, "409 Conflict", nil
	failed.Removals = []state.Removal{{Mail: "gone@contoso.example", Kind: state.RemovalDelete, Op: "op-101", Time: noon}}
	identity := meta
	identity.Key, identity.OrganizationID, identity.EntraTenantID = key, "42", "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"
	identity.Providers = map[string]state.Provider{"provider.essentials.us1": {Type: "essentials", Name: "us1",
		Secrets: map[string]string{"password": "env://ESSENTIALS_PASSWORD"}}}
	skips := []state.Skip{{Address: "sync_policy.people", Mail: "person001@contoso.example", UID: 1001, ObjectID: "o-1",
		Action: "delete", Until: noon, Reason: "parental leave", By: "noc@msp.example", Created: noon}}

	runs := []func(l *Lease) error{
		func(l *Lease) error {
			var all []state.Outcome
			for i := range specimenAccounts {
				all = append(all, account(i))
			}
			return errors.Join(l.Intend(context.Background(), []state.Intent{intent(1)}), l.Record(context.Background(), all),
				l.Record(context.Background(), []state.Outcome{done(1), done(2)}))
		},
		func(l *Lease) error {
			return errors.Join(l.Note(context.Background(), state.Note{Tenant: &identity, Skips: &skips, Allowance: "a1", Time: noon, Text: "for people",
				Outputs: map[string]state.Output{"o": {Value: cty.TupleVal([]cty.Value{cty.True}), Sensitive: true}}}),
				l.Record(context.Background(), []state.Outcome{object, failed}))
		},
		func(l *Lease) error {
			changed := l.State()
			delete(changed.Objects, done(2).Address)
			return l.Replace(context.Background(), changed, "domain.d2 is forgotten")
		},
		func(l *Lease) error {
			return errors.Join(
				l.Record(context.Background(), []state.Outcome{done(3)}),
				l.Checkpoint(context.Background()),
				l.Intend(context.Background(), []state.Intent{intent(4), intent(5)}),
				l.Record(context.Background(), []state.Outcome{done(4)}),
				l.Note(context.Background(), state.Note{Moved: []state.Rename{{From: done(3).Address, To: "module.m.domain.d3"}}, Time: noon}),
				l.Record(context.Background(), []state.Outcome{account(1)}))
		},
	}
	for i, run := range runs {
		o := options()
		o.Tenant.Key = key
		l, err := tn.Acquire(context.Background(), Holder{
			Run: fmt.Sprintf("run-%d", i+1), Who: "alice", Host: "ci", Operation: "apply", Plan: "sha256:00",
			Process: Process{Boot: "b", Namespace: "pid:[1]", PID: 7, Start: "8"},
		}, o)
		if err == nil {
			err = run(l)
		}
		if err == nil && i < len(runs)-1 {
			err = l.Release(context.Background())
		} else if err == nil {
			l.cancel(errors.New("killed"))
			l.wg.Wait()
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := putBlob(context.Background(), tn, "directory-1", []byte("cached")); err != nil {
		tb.Fatal(err)
	}
}

// checkSpecimen reads everything back. The newest version is the state as it is now, with what the dead run did.
func checkSpecimen(tb testing.TB, tn *Tenant) {
	tb.Helper()
	ctx := context.Background()
	s, err := tn.State(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	checkSpecimenState(tb, s)
	type version struct{ objects, accounts int }
	for serial, want := range map[uint64]version{1: {0, 0}, 2: {2, specimenAccounts}, 3: {3, specimenAccounts}, 4: {4, specimenAccounts}} {
		old, err := tn.At(ctx, serial)
		if err != nil {
			tb.Errorf("version %d: %v", serial, err)
			continue
		}
		if got := (version{len(old.Objects), old.Accounts.Len()}); got != want {
			tb.Errorf("version %d: got %+v, want %+v", serial, got, want)
		}
	}
	a, err := tn.Audit(ctx)
	if err != nil || len(a.Broken) > 0 || len(a.Runs) != 3 || a.Runs[0].Note != "domain.d2 is forgotten" || a.Runs[1].Who != "alice" {
		tb.Errorf("audit: %v, %+v", err, a)
	}
	if body, err := getBlob(ctx, tn, "directory-1"); err != nil || string(body) != "cached" {
		tb.Errorf("blob: %q, %v", body, err)
	}
}

func checkSpecimenState(tb testing.TB, s *state.State) {
	tb.Helper()
	d := s.Objects[done(100).Address]
	switch {
	case len(s.Objects) != 4 || s.Objects["module.m.domain.d3"] == nil || s.Objects[done(4).Address] == nil:
		tb.Errorf("objects: %q", s.Addresses())
	case d == nil || d.Values.GetAttr("port").AsBigFloat().String() != "25" || !d.PreventDestroy || d.Bindings[0].UID != 1001:
		tb.Errorf("an object came back another: %+v", d)
	case s.Accounts.Len() != specimenAccounts || s.Accounts.Get("person001@contoso.example").Aliases[0] != "p001@contoso.example":
		tb.Errorf("%d accounts", s.Accounts.Len())
	case len(s.InDoubt) != 1 || s.InDoubt["op-5"].Address != done(5).Address:
		tb.Errorf("in doubt: %+v", s.InDoubt)
	case s.Tenant.OrganizationID != "42" || len(s.Tenant.Providers) != 1 || len(s.Skips) != 1 || len(s.Removals) != 1 || len(s.Allowances) != 1 || len(s.Outputs) != 1:
		tb.Errorf("the rest came back another: %+v", s)
	}
}

func TestSpecimen(t *testing.T) {
	for name, o := range protections(t) {
		t.Run(name, func(t *testing.T) {
			m := NewMem()
			specimen(t, m, "contoso", o)
			tn := locked(t, m, newFakeClock(), "contoso", o)
			checkSpecimen(t, tn)
			take := options()
			take.Dead = func(Process) bool { return true }
			l, err := tn.Acquire(t.Context(), Holder{Run: "run-5"}, take)
			if err != nil {
				t.Fatal(err)
			}
			checkSpecimenState(t, l.State())
			release(t, l)
		})
	}
}

// protections are the two ways of keeping a state.
func protections(tb testing.TB) map[string]Options {
	return map[string]Options{"plain": {}, "encrypted": {Keys: ring(tb, keeperA)}}
}
