package planner

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/directory"
)

// TestProtectionDoubt: a block that might protect anybody is a doubt while it is not known whom. What the vendor computes of
// it is none, and neither is another type's block.
func TestProtectionDoubt(t *testing.T) {
	block := func(addresses, when cty.Value) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"addresses": addresses, "when": when, "protects": cty.UnknownVal(cty.Set(cty.String))})
	}
	kate := cty.StringVal("kate@x.example")
	none := cty.NullVal(directory.PredicateType)
	change := func(typ string, wanted cty.Value) *Part {
		return &Part{Changes: []*Change{{Address: typ + ".e", Type: typ, Action: Create, Before: cty.NilVal, Wanted: wanted, After: wanted}}}
	}
	for _, row := range []struct {
		name       string
		part       *Part
		evaluation config.Evaluation
		doubt      string
	}{
		{"all is known", change("exemption", block(cty.SetVal([]cty.Value{kate}), none)), config.Evaluation{}, ""},
		{"one address is not", change("exemption", block(cty.SetVal([]cty.Value{kate, cty.UnknownVal(cty.String)}), none)), config.Evaluation{}, "exemption.e"},
		{"its condition is not", change("exemption", block(cty.SetVal([]cty.Value{kate}), cty.UnknownVal(directory.PredicateType))), config.Evaluation{}, "exemption.e"},
		{"another type", change("domain", block(cty.UnknownVal(cty.Set(cty.String)), none)), config.Evaluation{}, ""},
		{"an exemption was skipped", &Part{}, config.Evaluation{Skipped: map[string]string{`module.m["a"].exemption.e`: "data.directory.d"}}, "data.directory.d"},
		{"an account block was", &Part{}, config.Evaluation{Skipped: map[string]string{"account.a": "data.directory.d"}}, "account.a"},
		{"a domain was", &Part{}, config.Evaluation{Skipped: map[string]string{"domain.d": "data.directory.d"}}, ""},
		{"instances are unknown", &Part{}, config.Evaluation{Unknown: map[string]string{"module.m.exemption.e": "the read failed"}}, "the read failed"},
		{"a whole module is", &Part{}, config.Evaluation{Unknown: map[string]string{"module.m": "the read failed"}}, "module.m"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.part.unevaluated = unevaluated(&row.evaluation)
			got := row.part.protectionDoubt()
			if (got == "") != (row.doubt == "") || !strings.Contains(got, row.doubt) {
				t.Errorf("doubt %q", got)
			}
		})
	}
}

// TestExemptionProtectsThoughItsListCouldNotBeRead: the files say whom a new block protects, whatever the vendor answers.
func TestExemptionProtectsThoughItsListCouldNotBeRead(t *testing.T) {
	wanted := cty.ObjectVal(map[string]cty.Value{"addresses": cty.SetVal([]cty.Value{cty.StringVal("Kate@x.example")})})
	c := &Change{Address: "exemption.e", Type: "exemption", Action: Unknown, Before: cty.NilVal, Wanted: wanted,
		After: cty.ObjectVal(map[string]cty.Value{"addresses": cty.UnknownVal(cty.Set(cty.String))})}
	p := &Part{Changes: []*Change{c}}
	found := p.protections(&Request{})
	if len(found) != 1 || len(found[0].Addresses) != 1 || found[0].Addresses[0] != "kate@x.example" {
		t.Errorf("protects %+v", found)
	}
	account := &Change{Address: "account.a", Type: "account", Action: Unknown, Before: cty.NilVal, Wanted: accountValue("ann@x.example", "end_user", true),
		After: cty.ObjectVal(map[string]cty.Value{"email": cty.UnknownVal(cty.String)})}
	if !(&Part{Changes: []*Change{account}}).declared(&Request{})["ann@x.example"] {
		t.Error("an account block whose account could not be read does not count as declared")
	}
}
