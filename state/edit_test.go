package state

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// estate is a state with modules, instances, dependencies and accounts.
func estate() *State {
	s := New("l", Live, TenantMeta{Key: "contoso", Address: `module.customer["contoso"].tenant.this`}, []byte(strings.Repeat("k", VersionKeySize)))
	s.Serial = 5
	s.Objects = map[string]*Object{}
	put := func(address, typ, id string, deps ...string) {
		s.Objects[address] = &Object{Address: address, Type: typ, ID: id, Ownership: Created, Dependencies: deps, Values: cty.EmptyObjectVal}
	}
	const m = `module.customer["contoso"].`
	put(m+"tenant.this", "tenant", "42")
	put(m+"domain.mail", "domain", "contoso.com", m+"tenant.this")
	put(m+`domain.known["a.example"]`, "domain", "a.example", m+"tenant.this")
	put(m+`domain.known["b.example"]`, "domain", "b.example", m+"tenant.this")
	put(m+"sync_policy.people", "sync_policy", "42", m+"domain.mail", m+"tenant.this")
	put("value.x", "value", "")
	s.Accounts.Put(&Account{Address: "alice@contoso.com", UID: 1, Policy: m + "sync_policy.people", Ownership: Created})
	s.Accounts.Put(&Account{Address: "bob@contoso.com", UID: 2, Policy: m + "sync_policy.people", Ownership: Adopted})
	s.Skips = []Skip{{Address: m + "sync_policy.people", Mail: "bob@contoso.com"}}
	return s
}

func TestForget(t *testing.T) {
	const m = `module.customer["contoso"].`
	s := estate()
	next, err := s.Forget([]string{m + "domain.mail"}, []string{"bob@contoso.com"})
	if err != nil {
		t.Fatal(err)
	}
	if next.Objects[m+"domain.mail"] != nil || next.Accounts.Get("bob@contoso.com") != nil {
		t.Error("it is still remembered")
	}
	if next.Accounts.Get("alice@contoso.com") == nil || len(next.Objects) != len(s.Objects)-1 || len(next.Skips) != 1 {
		t.Error("something else was forgotten")
	}
	if got := next.Objects[m+"sync_policy.people"].Dependencies; !slices.Equal(got, []string{m + "tenant.this"}) {
		t.Errorf("dependencies %v", got)
	}
	if d := Diff(estate(), s); !d.Empty() {
		t.Errorf("the receiver was changed: %+v", d)
	}
	s.InDoubt = map[string]Intent{"op-1": {Op: "op-1", Address: m + "sync_policy.people", Mail: "bob@contoso.com", Action: "delete"}}
	if _, err := s.Forget(nil, []string{"bob@contoso.com"}); err == nil {
		t.Error("an account in doubt was forgotten")
	}
	if _, err := s.Forget(nil, []string{"alice@contoso.com"}); err != nil {
		t.Errorf("an account that is not in doubt: %v", err)
	}
}

func TestRollback(t *testing.T) {
	then, now := estate(), estate()
	then.Serial, then.Tenant.PrimaryDomain = 2, "old.example"
	then.Removals = []Removal{{Mail: "old@contoso.com", Op: "op-0", Time: noon.Add(-time.Hour)}}
	then.InDoubt = map[string]Intent{"op-0": {Op: "op-0", Address: "value.x"}}
	then.Outputs = map[string]Output{"o": {Value: cty.StringVal("then")}}
	const policy = `module.customer["contoso"].sync_policy.people`
	then.Accounts.Put(&Account{Address: "carol@contoso.com", UID: 3, Policy: policy, GoneSince: noon.Add(-720 * time.Hour)})
	then.Accounts.Put(&Account{Address: "bob@contoso.com", UID: 2, Policy: policy, GoneSince: noon.Add(-720 * time.Hour)})
	then.Accounts.Put(&Account{Address: "dora@contoso.com", UID: 4, Policy: policy, GoneSince: noon})
	now.Accounts.Put(&Account{Address: "bob@contoso.com", UID: 2, Policy: policy, GoneSince: noon.Add(-time.Hour)})
	now.Accounts.Put(&Account{Address: "dora@contoso.com", UID: 4, Policy: policy, GoneSince: noon})
	now.Skips = nil
	now.Removals = []Removal{{Mail: "new@contoso.com", Op: "op-1", Time: noon}}
	now.Allowances = map[string]time.Time{"used": noon}
	now.InDoubt = map[string]Intent{"op-1": {Op: "op-1", Address: "domain.new"}}
	delete(now.Objects, "value.x")
	exempt := func(address, by string) *Object {
		return &Object{Address: address, Type: "exemption", Op: by, Values: cty.EmptyObjectVal, Previous: cty.NilVal}
	}
	then.Objects["exemption.gone"], then.Objects["exemption.both"] = exempt("exemption.gone", "then"), exempt("exemption.both", "then")
	now.Objects["exemption.both"], now.Objects["exemption.new"] = exempt("exemption.both", "now"), exempt("exemption.new", "now")

	next := now.Rollback(then)
	if next.Objects["value.x"] == nil || next.Accounts.Len() != 4 || next.Outputs["o"].Value != cty.StringVal("then") {
		t.Errorf("what was remembered then is not back: %v, %d accounts", next.Addresses(), next.Accounts.Len())
	}
	for address, by := range map[string]string{"exemption.gone": "then", "exemption.both": "now", "exemption.new": "now"} {
		if o := next.Objects[address]; o == nil || o.Op != by {
			t.Errorf("%s is %v, want that of %s: whom an exemption protects a sync must go on knowing", address, o, by)
		}
	}
	if then.Objects["exemption.new"] != nil {
		t.Error("the earlier state was changed")
	}
	if next.Serial != now.Serial || next.Tenant.PrimaryDomain != "" || len(next.Skips) != 0 {
		t.Error("what is the present's was taken from then")
	}
	if len(next.InDoubt) != 1 || next.InDoubt["op-1"].Op == "" || len(next.Removals) != 1 || next.Removals[0].Op != "op-1" || len(next.Allowances) != 1 {
		t.Errorf("what must be kept is not: %v %v %v", next.InDoubt, next.Removals, next.Allowances)
	}
	for mail, want := range map[string]time.Time{"carol@contoso.com": {}, "bob@contoso.com": noon.Add(-time.Hour), "dora@contoso.com": noon, "alice@contoso.com": {}} {
		if got := next.Accounts.Get(mail).GoneSince; !got.Equal(want) {
			t.Errorf("%s is gone since %s, want %s", mail, got, want)
		}
	}
	if then.Accounts.Get("carol@contoso.com").GoneSince.IsZero() {
		t.Error("the earlier state was changed")
	}
}

func TestKeep(t *testing.T) {
	now, then := estate(), estate()
	now.InDoubt = map[string]Intent{"op-1": {Op: "op-1", Address: "value.x"}}
	now.Removals = []Removal{{Mail: "b@contoso.com", Kind: RemovalDelete, Op: "op-2", Time: noon}}
	now.Allowances = map[string]time.Time{"used": noon}
	then.Removals = []Removal{{Mail: "a@contoso.com", Kind: RemovalDelete, Op: "op-1", Time: noon.Add(-time.Hour)}, now.Removals[0]}
	next := now.Keep(then)
	if len(next.InDoubt) != 1 || len(next.Removals) != 2 || next.Removals[0].Mail != "a@contoso.com" || len(next.Allowances) != 1 {
		t.Errorf("got %v, %v, %v", next.InDoubt, next.Removals, next.Allowances)
	}
	if len(then.InDoubt)+len(then.Allowances) != 0 || len(then.Removals) != 2 {
		t.Error("the other state was changed")
	}
}

func TestUnskip(t *testing.T) {
	s := &State{Skips: []Skip{{Mail: "a"}, {Mail: "b"}, {Mail: "c"}}}
	next := s.Unskip(func(k Skip) bool { return k.Mail == "b" })
	if len(next.Skips) != 2 || next.Skips[0].Mail != "a" || next.Skips[1].Mail != "c" {
		t.Errorf("left %v", next.Skips)
	}
	if len(s.Skips) != 3 || s.Skips[1].Mail != "b" {
		t.Errorf("the receiver changed: %v", s.Skips)
	}
}
