package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

var (
	keyPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	domainPattern = regexp.MustCompile(`^([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)
	guidPattern   = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

func placeOf(t *Tenant) string { return place(t.Range) }

func isDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// tenantNode evaluates what the frame knows of one tenant, and enters it among the tenants.
func (ev *evaluator) tenantNode(n *node) {
	sc := n.key.sc
	b := sc.mod.blocks[n.key.name]
	exp := ev.get(nodeKey{sc: sc, kind: nodeBlock, name: b.key})
	x := &extra{inner: b}
	if b.repeated() {
		x = instanceExtra(exp, n.key.key, b.count != nil, ev.validate || exp.exp.unknown)
		x.inner = b
	}
	n.deps, n.level = exp.deps, exp.level
	t := &Tenant{Address: sc.address(b, n.key.key), Range: b.rng, Tags: map[string]string{}}
	ok := true
	fail := func(summary, name, format string, args ...any) {
		ok = false
		rng := b.rng
		if a := b.frame[name]; a != nil {
			rng = a.Expr.Range()
		}
		ev.report(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: rng.Ptr()}})
	}
	attrs := map[string]cty.Value{}
	arg := func(name string, ty cty.Type) (cty.Value, bool) {
		attrs[name] = cty.NullVal(ty)
		a := b.frame[name]
		if a == nil {
			return attrs[name], false
		}
		res := ev.eval(sc, a.Expr, x)
		n.level = max(n.level, res.level)
		if res.failed {
			ok = false
			attrs[name] = cty.UnknownVal(ty)
			return attrs[name], false
		}
		v, marks := res.val.UnmarkDeep()
		_, secret := marks[SensitiveMark]
		v, err := convertTo(v, ty)
		switch {
		case err != nil:
			fail("Invalid value", name, "%q: %s.", name, err)
		case secret:
			fail("Sensitive identity", name, "%q names the tenant in plans and state, so it cannot be sensitive.", name)
		case !v.IsWhollyKnown() && !ev.validate:
			ok = false
			ev.report(hcl.Diagnostics{ev.frame.notKnown(t.Address.String(), name, &res, a.Expr.Range())})
		}
		if err != nil {
			v = cty.UnknownVal(ty)
		}
		attrs[name] = v
		return v, v.IsWhollyKnown() && !v.IsNull()
	}
	text := func(name string, fold bool) string {
		v, known := arg(name, cty.String)
		if !known {
			return ""
		}
		s := v.AsString()
		if fold {
			s = strings.ToLower(strings.TrimSpace(s))
			attrs[name] = cty.StringVal(s)
		}
		return s
	}

	t.Name = text("name", false)
	t.PrimaryDomain = text("primary_domain", true)
	t.Parent = text("parent", true)
	t.EntraTenantID = text("entra_tenant_id", true)
	t.Key = text("key", false)
	if b.frame["key"] == nil {
		t.Key = defaultKey(sc, b, n.key.key)
		attrs["key"] = cty.StringVal(t.Key)
		if ev.validate {
			attrs["key"] = cty.UnknownVal(cty.String)
		}
	}
	if v, known := arg("tags", cty.Map(cty.String)); known {
		for it := v.ElementIterator(); it.Next(); {
			if k, e := it.Element(); !e.IsNull() {
				t.Tags[k.AsString()] = e.AsString()
			}
		}
	}
	t.Essentials = ev.providerChoice(arg, b, "essentials", &ok)
	t.Microsoft = ev.providerChoice(arg, b, "microsoft", &ok)
	delete(attrs, "essentials")
	delete(attrs, "microsoft")
	attrs["stack"] = cty.NullVal(cty.String)
	if t.Essentials != nil && !ev.validate {
		if v, _ := t.Essentials.Config.GetAttr("stack").Unmark(); v.IsKnown() && !v.IsNull() {
			t.Stack = v.AsString()
			attrs["stack"] = v
		}
	}
	if ev.validate {
		attrs["stack"] = cty.UnknownVal(cty.String)
	}
	all := map[string]cty.Value{}
	for name, ty := range ev.g.types.tenant.AttributeTypes() {
		all[name] = cty.UnknownVal(ty)
		if v, fixed := attrs[name]; fixed {
			all[name] = v
		}
	}
	if ev.g.types.tenant.AttributeType("stack") != cty.String {
		all["stack"] = cty.UnknownVal(ev.g.types.tenant.AttributeType("stack"))
	}
	n.val = cty.ObjectVal(all)
	// Whoever needs more than the frame knows refers to the instance itself.
	n.level, n.deps = stageFrame, nil
	if ev.validate || !ok {
		n.failed = !ok
		return
	}
	if t.Name == "" {
		t.Name = t.Key
	}
	if !keyPattern.MatchString(t.Key) {
		hint := ""
		if b.frame["key"] == nil {
			hint = ` Write key = "…" in the block, for its name cannot serve.`
		}
		fail("Invalid tenant key", "key", "The key %q of %s must be lower-case letters, digits and dashes, at most 63, and begin with a letter or digit.%s", t.Key, t.Address, hint)
	}
	if !domainPattern.MatchString(t.PrimaryDomain) {
		fail("Invalid value", "primary_domain", "The primary_domain of %s is no domain name: %q.", t.Address, t.PrimaryDomain)
	}
	if t.Parent != "" && !domainPattern.MatchString(t.Parent) {
		fail("Invalid value", "parent", "The parent of %s is no domain name: %q. It is the primary domain of the partner account.", t.Address, t.Parent)
	}
	if t.EntraTenantID != "" && !guidPattern.MatchString(t.EntraTenantID) {
		fail("Invalid value", "entra_tenant_id", "The entra_tenant_id of %s is not of the form 00000000-0000-0000-0000-000000000000: %q.", t.Address, t.EntraTenantID)
	}
	fe := ev.frame
	if other := fe.byKey[t.Key]; other != nil {
		fail("Tenant key used twice", "key", "%s and %s (%s) both have the key %q, which names a tenant's state and must be unique.", t.Address, other.Address, place(other.Range), t.Key)
	} else {
		place := t.Stack + "/" + t.PrimaryDomain
		if other := fe.byDomain[place]; other != nil && !ev.in.Unconnected {
			fail("Organization claimed twice", "primary_domain", "%s and %s (%s) both have the primary domain %q, but one organization is one tenant.", t.Address, other.Address, placeOf(other), t.PrimaryDomain)
		}
		fe.byDomain[place] = t
	}
	if !ok {
		n.failed = true
		return
	}
	fe.byKey[t.Key] = t
	fe.byAddress[t.Address.String()] = t
}

// defaultKey is the nearest for_each key, or else the label; with count the label and the number.
func defaultKey(sc *scope, b *block, key resource.Key) string {
	switch {
	case b.forEach != nil:
		return key.Text()
	case b.count != nil:
		return b.name + "-" + key.Text()
	}
	for s := sc; s.parent != nil; s = s.parent {
		if s.call.forEach != nil {
			return s.key.Text()
		}
	}
	return b.name
}

// providerChoice reads the argument that names a provider block; left out, the only block of the kind serves.
func (ev *evaluator) providerChoice(arg func(string, cty.Type) (cty.Value, bool), b *block, kind string, ok *bool) *Provider {
	if b.frame[kind] != nil {
		v, known := arg(kind, providerType)
		if !known {
			return nil // null: none serves it
		}
		return ev.frame.providers[*v.EncapsulatedValue().(*providerRef)]
	}
	var found []string
	for _, key := range sortedKeys(ev.g.root.providers) {
		if ev.g.root.providers[key].kind == kind {
			found = append(found, key)
		}
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return ev.frame.providers[providerRef{kind, ev.g.root.providers[found[0]].name}]
	}
	*ok = false
	ev.report(hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Provider missing",
		Detail:  fmt.Sprintf("There are several %s providers; %s must say which serves it: %s = provider.%s. Null stands for none.", kind, b.key, kind, strings.Join(found, " or provider.")),
		Subject: b.rng.Ptr(),
	}})
	return nil
}
