package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	tfjson "github.com/hashicorp/terraform-json"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/state"
)

func richState() *state.State {
	s := state.New("t-1", state.Live, state.TenantMeta{Key: "contoso", Address: `module.customer["contoso"].tenant.this`, PrimaryDomain: "contoso.com"}, nil)
	s.Serial = 8
	s.Objects = map[string]*state.Object{
		`module.customer["contoso"].domain.mail`: {
			Address: `module.customer["contoso"].domain.mail`, Type: "domain", ID: "contoso.com", Provider: "provider.essentials.eu1", Ownership: state.Created,
			Values:    object("name", cty.StringVal("contoso.com"), "spam", object("threshold", cty.NumberIntVal(5)), "token", cty.StringVal(canary), "none", cty.NullVal(cty.String)),
			Sensitive: []string{"token"}, Dependencies: []string{`module.customer["contoso"].tenant.this`}, Created: noon, Updated: noon,
		},
		`module.customer["contoso"].module.mail["a.b"].m365_connector.outbound[2]`: {
			Address: `module.customer["contoso"].module.mail["a.b"].m365_connector.outbound[2]`, Type: "m365_connector", ID: "8f", Ownership: state.Adopted,
			Values: object("hosts", strings2("mail1.contoso.com", "mail2.contoso.com")), Versions: map[string]string{"secret": "v1"},
		},
	}
	s.Accounts.Put(&state.Account{Address: "alice@contoso.com", Policy: `module.customer["contoso"].sync_policy.staff`, Type: "end_user", Active: true, Ownership: state.Adopted, Aliases: []string{"a@contoso.com"}})
	s.Accounts.Put(&state.Account{Address: "gone@contoso.com", Policy: `module.customer["contoso"].sync_policy.staff`, Type: "end_user", Ownership: state.Created, GoneSince: noon})
	s.Outputs = richOutputs()
	s.InDoubt = map[string]state.Intent{"op-1": {Op: "op-1", Address: `module.customer["contoso"].sync_policy.staff`, Mail: "new@contoso.com", Action: "add", Time: noon}}
	return s
}

func richOutputs() map[string]state.Output {
	return map[string]state.Output{
		"domains": {Value: cty.SetVal([]cty.Value{cty.StringVal("contoso.com"), cty.StringVal("zürich.example")})},
		"key":     {Value: cty.StringVal(canary), Sensitive: true},
		"count":   {Value: cty.NumberIntVal(12)},
	}
}

func TestState(t *testing.T) {
	var text, doc, fresh bytes.Buffer
	if err := errors.Join(State(&text, richState(), Options{}), StateJSON(&doc, richState()), State(&fresh, &state.State{Tenant: state.TenantMeta{Key: "new"}}, Options{})); err != nil {
		t.Fatal(err)
	}
	golden(t, "state.txt", text.Bytes())
	golden(t, "state.json", doc.Bytes())
	golden(t, "fresh.state.txt", fresh.Bytes())
	if bytes.Contains(text.Bytes(), []byte(canary)) || bytes.Contains(doc.Bytes(), []byte(canary)) {
		t.Error("a sensitive value is shown")
	}
	var s tfjson.State
	if err := json.Unmarshal(doc.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	child := s.Values.RootModule.ChildModules[0]
	if child.Address != `module.customer["contoso"]` || child.Resources[0].AttributeValues["name"] != "contoso.com" {
		t.Errorf("child module %q with %v", child.Address, child.Resources)
	}
	if grandchild := child.ChildModules[0]; grandchild.Address != `module.customer["contoso"].module.mail["a.b"]` || grandchild.Resources[0].Index != 2.0 {
		t.Errorf("grandchild %q, index %v", grandchild.Address, grandchild.Resources[0].Index)
	}
	if got := s.Values.Outputs["domains"].Type; !got.Equals(cty.Set(cty.String)) {
		t.Errorf("output type %#v", got)
	}
}

func TestOutputs(t *testing.T) {
	var text, doc, none bytes.Buffer
	if err := errors.Join(Outputs(&text, richOutputs(), Options{}), OutputsJSON(&doc, richOutputs()), Outputs(&none, nil, Options{})); err != nil {
		t.Fatal(err)
	}
	golden(t, "outputs.txt", text.Bytes())
	golden(t, "outputs.json", doc.Bytes())
	golden(t, "none.outputs.txt", none.Bytes())
}

func TestRawOutput(t *testing.T) {
	for _, row := range []struct {
		name string
		v    cty.Value
		want string
		fail bool
	}{
		{"string", cty.StringVal("a\nb"), "a\nb", false}, {"number", cty.NumberIntVal(3), "3", false}, {"bool", cty.True, "true", false},
		{"null", cty.NullVal(cty.String), "", true}, {"none", cty.NilVal, "", true}, {"list", strings2("a"), "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b bytes.Buffer
			err := RawOutput(&b, state.Output{Value: row.v})
			if b.String() != row.want || (err != nil) != row.fail {
				t.Errorf("%q, %v", b.String(), err)
			}
		})
	}
}
