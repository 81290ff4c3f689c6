package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// Encryption is the encryption block of the state block: how the keys that encrypt state and plan files are protected.
type Encryption struct {
	// Current protects what is written.
	Current KeySettings
	// Escrow are further protections of what is written, kept offline; they have no passphrase, and identities only
	// where state is to be read with them.
	Escrow []KeySettings
	// Previous protected what was written before; it is read, never written.
	Previous []KeySettings
}

// KeySettings is one way of protecting keys: exactly one of Passphrase, Recipients and a keeper is set; what was used
// before may also be Identities alone.
type KeySettings struct {
	Passphrase *resource.SecretRef
	// Recipients are age public keys; Identities refer to secret keys that belong to them.
	Recipients []string
	Identities []*resource.SecretRef
	// Keeper is a gocloud.dev/secrets URL, or KeeperSecret refers to one: base64key:// has the key itself in it.
	Keeper       string
	KeeperSecret *resource.SecretRef
	// Range is the block's header; Ranges are the values of the arguments that are written, by name.
	Range  hcl.Range
	Ranges map[string]hcl.Range
}

// At is the place of an argument, or of the block when it is not written.
func (k KeySettings) At(argument string) *hcl.Range {
	if r, ok := k.Ranges[argument]; ok {
		return &r
	}
	return k.Range.Ptr()
}

// keyArguments are the arguments of a block of key settings.
var keyArguments = []hcl.AttributeSchema{{Name: "passphrase"}, {Name: "recipients"}, {Name: "identity"}, {Name: "identities"}, {Name: "keeper"}}

// encryption evaluates the encryption block.
func (ev *evaluator) encryption(bl *hcl.Block) *Encryption {
	content, diags := bl.Body.Content(&hcl.BodySchema{
		Attributes: keyArguments, Blocks: []hcl.BlockHeaderSchema{{Type: "escrow"}, {Type: "previous"}},
	})
	ev.report(diags)
	e := &Encryption{Current: ev.keySettings("An encryption", bl.DefRange, content.Attributes, diags.HasErrors())}
	for _, inner := range content.Blocks {
		content, diags := inner.Body.Content(&hcl.BodySchema{Attributes: keyArguments})
		ev.report(diags)
		switch inner.Type {
		case "escrow":
			e.Escrow = append(e.Escrow, ev.keySettings("An escrow", inner.DefRange, content.Attributes, diags.HasErrors()))
		case "previous":
			e.Previous = append(e.Previous, ev.keySettings("A previous", inner.DefRange, content.Attributes, diags.HasErrors()))
		}
	}
	return e
}

// keySettings evaluates one block of key settings. what is the block with its article; broken says that an error in it
// has been reported, so that what is missing need not be.
func (ev *evaluator) keySettings(what string, header hcl.Range, attrs hcl.Attributes, broken bool) KeySettings {
	k := KeySettings{Range: header, Ranges: map[string]hcl.Range{}}
	// value is one argument; an argument that is null counts as left out.
	value := func(name string, ty cty.Type) cty.Value {
		a := attrs[name]
		if a == nil {
			return cty.NullVal(ty)
		}
		v, ok := ev.setting(a, ty)
		broken = broken || !ok
		if !ok || !v.IsNull() {
			k.Ranges[name] = a.Expr.Range()
		}
		return v
	}
	fail := func(at *hcl.Range, detail string) {
		ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Invalid encryption", Detail: detail, Subject: at}})
		broken = true
	}
	k.Passphrase = resource.SecretOf(value("passphrase", resource.SecretType))
	for _, v := range ev.elements(value("recipients", cty.List(cty.String))) {
		if v.IsNull() || v.AsString() == "" {
			fail(k.At("recipients"), "A recipient is empty; recipients are age public keys, which begin with age1.")
			continue
		}
		k.Recipients = append(k.Recipients, v.AsString())
	}
	identity := value("identity", resource.SecretType)
	if ref := resource.SecretOf(identity); ref != nil {
		k.Identities = append(k.Identities, ref)
	}
	for _, v := range ev.elements(value("identities", cty.List(resource.SecretType))) {
		if ref := resource.SecretOf(v); ref != nil {
			k.Identities = append(k.Identities, ref)
		}
	}
	keeper := value("keeper", cty.DynamicPseudoType)
	k.KeeperSecret = resource.SecretOf(keeper)
	if keeper.IsKnown() && !keeper.IsNull() && k.KeeperSecret == nil {
		switch text, err := convertTo(keeper, cty.String); {
		case err != nil:
			fail(k.At("keeper"), "keeper: "+err.Error()+".")
		case text.AsString() == "":
			fail(k.At("keeper"), `keeper is empty; write the address of a key, such as "azurekeyvault://VAULT.vault.azure.net/keys/KEY/VERSION".`)
		default:
			k.Keeper = text.AsString()
		}
	}
	if key, local := strings.CutPrefix(k.Keeper, "base64key://"); local && key != "" {
		// At the header, since the line itself would show the key.
		fail(k.At(""), `A base64key:// address is the key itself, which is never written in a file. Keep it elsewhere and write keeper = secret("env://NAME").`)
	}
	if broken {
		return k
	}

	escrow, previous := what == "An escrow", what == "A previous"
	var ways []string
	for _, name := range []string{"passphrase", "recipients", "keeper"} {
		if _, ok := k.Ranges[name]; ok {
			ways = append(ways, name)
		}
	}
	sort.SliceStable(ways, func(i, j int) bool { return k.Ranges[ways[i]].Start.Byte < k.Ranges[ways[j]].Start.Byte })
	_, one := k.Ranges["identity"]
	_, several := k.Ranges["identities"]
	switch {
	case one && several:
		fail(k.At("identities"), "identity stands here too; write all of them in identities.")
	case len(ways) > 1:
		fail(k.At(ways[1]), fmt.Sprintf("%s block has exactly one kind of key, and here are %s. Keep one; a second one kept offline goes into an escrow block, one that was used before into a previous block.", what, strings.Join(ways, " and ")))
	case escrow && len(ways) == 1 && ways[0] == "passphrase":
		fail(k.At("passphrase"), `An escrow block has recipients = ["age1…"] or keeper = "azurekeyvault://…": nothing that could be read with it should be on this machine.`)
	case len(ways) == 0 && escrow:
		fail(k.At(""), `An escrow block needs recipients = ["age1…"] or keeper = "azurekeyvault://…".`)
	case len(ways) == 0 && previous && (one || several):
		// Enough to read with.
	case len(ways) == 0:
		fail(k.At(""), what+` block needs one of passphrase = secret("env://…"), recipients = ["age1…"] with identity = secret("env://…"), and keeper = "azurekeyvault://…".`)
	case (one || several) && ways[0] != "recipients":
		name := "identity"
		if several {
			name = "identities"
		}
		fail(k.At(name), fmt.Sprintf("%s is the secret key that belongs to recipients, and this block has a %s instead. Take one of them out.", name, ways[0]))
	case ways[0] == "recipients" && len(k.Recipients) == 0 && !ev.validate:
		fail(k.At("recipients"), "recipients is empty; write at least one age public key, which begins with age1.")
	case ways[0] == "recipients" && !one && !several && !escrow:
		fail(k.At("recipients"), `What is encrypted to recipients alone could not be read again here: add identity = secret("env://…"), the secret key of one of them.`)
	}
	return k
}

// elements are those of a known list.
func (ev *evaluator) elements(v cty.Value) []cty.Value {
	if !v.IsWhollyKnown() || v.IsNull() {
		return nil
	}
	return v.AsValueSlice()
}
