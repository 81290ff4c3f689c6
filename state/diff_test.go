package state

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

func TestDiff(t *testing.T) {
	const m = `module.customer["contoso"].`
	for _, row := range []struct {
		name   string
		change func(s *State)
		want   string
	}{
		{"nothing", func(*State) {}, ""},
		{"serial and lineage are no part of it", func(s *State) { s.Serial, s.Lineage = 9, "other" }, ""},
		{"equal values that were made anew", func(s *State) { o := *s.Objects["value.x"]; s.Objects["value.x"] = &o }, ""},
		{"an object added", func(s *State) { s.Objects["value.y"] = &Object{Address: "value.y", Type: "value"} }, "+value.y"},
		{"an object removed", func(s *State) { delete(s.Objects, "value.x") }, "-value.x"},
		{"an object changed", func(s *State) {
			o := *s.Objects["value.x"]
			o.Values = cty.ObjectVal(map[string]cty.Value{"input": cty.True})
			s.Objects["value.x"] = &o
		}, "~value.x"},
		{"an object renamed", func(s *State) {
			o := *s.Objects[m+"domain.mail"]
			delete(s.Objects, o.Address)
			o.Address = "domain.main"
			s.Objects[o.Address] = &o
		}, ">domain.main"},
		{"an account added", func(s *State) { s.Accounts.Put(&Account{Address: "new@contoso.com", UID: 7}) }, "+new@contoso.com"},
		{"an account removed", func(s *State) { s.Accounts.Delete("bob@contoso.com") }, "-bob@contoso.com"},
		{"an account changed", func(s *State) {
			a := *s.Accounts.Get("bob@contoso.com")
			a.Active = true
			s.Accounts.Put(&a)
		}, "~bob@contoso.com"},
		{"an account renamed", func(s *State) {
			a := *s.Accounts.Get("bob@contoso.com")
			s.Accounts.Delete(a.Address)
			a.Address = "robert@contoso.com"
			s.Accounts.Put(&a)
		}, ">robert@contoso.com"},
		{"an output", func(s *State) { s.Outputs = map[string]Output{"o": {Value: cty.True}} }, "output o"},
		{"the identity", func(s *State) { s.Tenant.PrimaryDomain = "other.example" }, "identity"},
		{"a skip", func(s *State) { s.Skips = nil }, "skips"},
		{"a removal", func(s *State) { s.Removals = []Removal{{Mail: "x@contoso.com"}} }, "removals"},
		{"what was gone by", func(s *State) { s.Applied = Applied{Known: true} }, "applied"},
		{"a prediction", func(s *State) { s.Hosted = &Hosted{Policy: "sync_policy.people", At: noon} }, "hosted"},
		{"an allowance", func(s *State) { s.Allowances = map[string]time.Time{"x": noon} }, "allowances"},
		{"in doubt", func(s *State) { s.InDoubt = map[string]Intent{"op1": {Op: "op1"}} }, "begun op1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := estate()
			row.change(s)
			if got := outline(Diff(estate(), s)); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			// The other way round it is the reverse.
			want := strings.NewReplacer("+", "-", "-", "+", "begun", "settled").Replace(row.want)
			switch {
			case strings.HasPrefix(want, ">domain"):
				want = ">" + m + "domain.mail"
			case strings.HasPrefix(want, ">"):
				want = ">bob@contoso.com"
			}
			if got := outline(Diff(s, estate())); got != want {
				t.Errorf("backwards: got %q, want %q", got, want)
			}
		})
	}
}

// TestEveryFieldOfAnAccountCounts empties each field of a full account in turn.
func TestEveryFieldOfAnAccountCounts(t *testing.T) {
	full := sample().Accounts.Get("alice@contoso.com")
	if again := *full; !equalAccounts(full, &again) {
		t.Error("an account is not like itself")
	}
	for i := range reflect.TypeFor[Account]().NumField() {
		other := *full
		field := reflect.ValueOf(&other).Elem().Field(i)
		field.SetZero()
		if equalAccounts(full, &other) || equalAccounts(&other, full) {
			t.Errorf("a difference in %s is not seen", reflect.TypeFor[Account]().Field(i).Name)
		}
	}
}

func outline(d *Difference) string {
	var out []string
	sign := func(before, after bool, renamed bool) string {
		switch {
		case renamed:
			return ">"
		case !before:
			return "+"
		case !after:
			return "-"
		}
		return "~"
	}
	for _, o := range d.Objects {
		out = append(out, sign(o.Before != nil, o.After != nil, o.Renamed())+o.Address())
	}
	for _, a := range d.Accounts {
		out = append(out, sign(a.Before != nil, a.After != nil, a.Renamed())+a.Address())
	}
	for _, o := range d.Outputs {
		out = append(out, "output "+o.Name)
	}
	for name, set := range map[string]bool{"identity": d.Identity, "skips": d.Skips, "removals": d.Removals, "allowances": d.Allowances, "applied": d.Applied, "hosted": d.Hosted} {
		if set {
			out = append(out, name)
		}
	}
	for _, i := range d.Begun {
		out = append(out, "begun "+i.Op)
	}
	for _, i := range d.Settled {
		out = append(out, "settled "+i.Op)
	}
	if d.Empty() != (len(out) == 0) {
		out = append(out, "Empty is wrong")
	}
	return strings.Join(out, ", ")
}
