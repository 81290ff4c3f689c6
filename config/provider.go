package config

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// ProviderTables are the attribute tables of the provider blocks by kind. Where a host may be reached is not an argument
// but the operator's: authorities and API hosts follow from the stack and the credential.
var ProviderTables = map[string][]resource.Attribute{
	"essentials": {
		{Name: "stack", Type: cty.String, Optional: true, Enum: []string{"us1", "us2", "us3", "us4", "us5", "eu1"}, Description: "The Essentials data stack on which the organizations live; it or base_url is needed."},
		{Name: "base_url", Type: cty.String, Optional: true, Validate: httpsURL, Description: "The address of a white-label interface, instead of a stack."},
		{Name: "user", Type: cty.String, Optional: true, Description: "The sign-in name of an administrator, used for every call; needed."},
		{Name: "password", Type: resource.SecretType, Optional: true, WriteOnly: true, Sensitive: true, Description: "Where that administrator's password is kept; needed."},
	},
	"microsoft": {
		{Name: "credential", Type: cty.String, Optional: true, Enum: []string{"secret", "certificate", "federated", "managed_identity", "azure_cli"}, Description: "How Weir proves who it is to Entra; left out, a client_secret makes it \"secret\" and a certificate_path \"certificate\"."},
		{Name: "client_id", Type: cty.String, Optional: true, Description: "The application (client) id of Weir's own identity; needed, unless the credential is managed_identity or azure_cli."},
		{Name: "client_secret", Type: resource.SecretType, Optional: true, WriteOnly: true, Sensitive: true, Description: "Where the application's secret is kept; needed for the credential secret."},
		{Name: "certificate_path", Type: cty.String, Optional: true, Description: "The file with certificate and private key, PEM or PKCS#12; needed for the credential certificate."},
	},
}

var duration = regexp.MustCompile(`^(\d+[mhdwy])+$`)

// SafeguardTable is the attribute table of the root safeguard block: the defaults of all tenants.
var SafeguardTable = []resource.Attribute{
	{Name: "max_removals", Type: cty.Number, Optional: true, Local: true, Validate: wholeNumber, Description: "How many addresses of one tenant may stop receiving within the window; 5 when left out."},
	{Name: "max_removal_percent", Type: cty.Number, Optional: true, Local: true, Validate: percent, Description: "How many of a tenant's active accounts that may be at most, in percent; 10 when left out. The smaller of both counts."},
	{Name: "max_conversions", Type: cty.Number, Optional: true, Local: true, Validate: wholeNumber, Description: "How many accounts of one tenant may change their type in one plan; 50 when left out."},
	{Name: "max_additions", Type: cty.Number, Optional: true, Local: true, Validate: wholeNumber, Description: "How many seats one tenant may newly use in one plan; 500 when left out."},
	{Name: "max_tenants_removed", Type: cty.Number, Optional: true, Local: true, Validate: wholeNumber, Description: "How many tenants may leave the configuration in one run; 1 when left out."},
	{Name: "min_admins", Type: cty.Number, Optional: true, Local: true, Validate: wholeNumber, Description: "How many active administrators of a tenant must remain; 1 when left out."},
	{Name: "protected", Type: cty.Set(cty.String), Optional: true, Local: true, Description: "Addresses that never stop receiving."},
	{Name: "window", Type: cty.String, Optional: true, Local: true, Pattern: duration, PatternHelp: "a duration such as 30d, 24h or 90m", Description: "The time over which removals are counted; \"24h\" when left out."},
}

func wholeNumber(v cty.Value) error {
	if n := v.AsBigFloat(); !n.IsInt() || n.Sign() < 0 {
		return fmt.Errorf("a whole number of at least 0 is needed")
	}
	return nil
}

func percent(v cty.Value) error {
	if n, _ := v.AsBigFloat().Float64(); n < 0 || n > 100 {
		return fmt.Errorf("a percentage lies between 0 and 100")
	}
	return nil
}

func httpsURL(v cty.Value) error {
	if !strings.HasPrefix(v.AsString(), "https://") {
		return fmt.Errorf("the address must begin with https://")
	}
	return nil
}

func (m *module) readProvider(bl *hcl.Block) hcl.Diagnostics {
	p := &providerBlock{kind: bl.Labels[0], name: bl.Labels[1], rng: bl.DefRange}
	table, ok := ProviderTables[p.kind]
	if !ok {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Unknown provider",
			Detail:  fmt.Sprintf("There is no provider %q; there are %s.%s", p.kind, strings.Join(sortedKeys(ProviderTables), " and "), meant("", p.kind, sortedKeys(ProviderTables))),
			Subject: bl.LabelRanges[0].Ptr(), Context: bl.DefRange.Ptr(),
		}}
	}
	p.table = table
	key := p.kind + "." + p.name
	if first := m.providers[key]; first != nil {
		return hcl.Diagnostics{duplicate("provider."+key, first.rng, bl.DefRange)}
	}
	var diags hcl.Diagnostics
	p.body, diags = parseBody(bl.Body, bl.DefRange, table, nil, false)
	m.providers[key] = p
	return diags
}

// provider evaluates one provider block; all of it must be known.
func (ev *evaluator) provider(p *providerBlock) (*Provider, bool) {
	x := &extra{provider: true}
	v, ranges, res := ev.decode(ev.frame.root, p.body, p.table, nil, x)
	if res.failed {
		return nil, false
	}
	out := &Provider{Type: p.kind, Name: p.name, Config: v, Range: p.rng}
	if ev.validate {
		return out, true
	}
	ok := true
	fail := func(at, format string, args ...any) {
		rng, found := ranges[at]
		if !found {
			rng = p.rng
		}
		ok = false
		ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Incomplete provider", Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr()}})
	}
	for i := range p.table {
		name := p.table[i].Name
		if !v.GetAttr(name).IsWhollyKnown() {
			fail(name, "%q of provider.%s.%s must be known before anything is read. It depends on %s.", name, p.kind, p.name, ev.why(&res))
		}
	}
	lacks := func(name string) bool { u, _ := v.GetAttr(name).Unmark(); return u.IsNull() }
	kind := ""
	if p.kind == "microsoft" {
		kind = signIn(v)
		if kind != "" {
			attrs := v.AsValueMap()
			attrs["credential"] = cty.StringVal(kind)
			out.Config = cty.ObjectVal(attrs)
		}
	}
	if !ok || ev.in.Simulated {
		return out, ok
	}
	switch p.kind {
	case "essentials":
		switch {
		case lacks("stack") && lacks("base_url"):
			fail("", `provider.essentials.%s needs its stack, such as stack = "us1", or a base_url.`, p.name)
		case !lacks("stack") && !lacks("base_url"):
			fail("base_url", "provider.essentials.%s has both a stack and a base_url; keep one.", p.name)
		}
		for _, name := range []string{"user", "password"} {
			if lacks(name) {
				fail("", "provider.essentials.%s needs %s.", p.name, name)
			}
		}
	case "microsoft":
		needs := map[string][]string{
			"secret": {"client_id", "client_secret"}, "certificate": {"client_id", "certificate_path"}, "federated": {"client_id"},
			"managed_identity": nil, "azure_cli": nil,
		}
		if kind == "" {
			fail("", `provider.microsoft.%s needs to know how to sign in: credential = "secret", "certificate", "federated", "managed_identity" or "azure_cli".`, p.name)
		}
		for _, name := range needs[kind] {
			if lacks(name) {
				fail("", "provider.microsoft.%s needs %s for credential %q.", p.name, name, kind)
			}
		}
	}
	return out, ok
}

// signIn is the written kind of credential, or the one that the other arguments stand for.
func signIn(v cty.Value) string {
	text := func(name string) string {
		u, _ := v.GetAttr(name).Unmark()
		if u.IsNull() || !u.IsKnown() {
			return ""
		}
		if u.Type() == cty.String {
			return u.AsString()
		}
		return "set"
	}
	switch {
	case text("credential") != "":
		return text("credential")
	case text("client_secret") != "":
		return "secret"
	case text("certificate_path") != "":
		return "certificate"
	}
	return ""
}
