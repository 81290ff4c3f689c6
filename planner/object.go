package planner

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/state"
)

// Objects plans the declared objects of one tenant one after the other. Build uses it to make a Part; apply uses it
// again, with values that are known by then, to find out what exactly to send. It remembers which live objects are
// claimed, so one live object never answers two blocks. Not safe for concurrent use.
type Objects struct {
	req     *Request
	claimed map[string]string // type and id → address
	planned map[string]*Change
	// single gives, by type of which a tenant has one object, the block that configures it.
	single map[string]string
	// reissue are the objects that must issue their secret anew; demanded are those that turned out to have to.
	reissue, demanded map[string]bool
	suspend           string
	// kept is what shared found, once asked.
	kept     []string
	keptRead bool
}

// NewObjects begins planning against the request's observation and state.
func NewObjects(req *Request) *Objects {
	o := &Objects{req: req, claimed: map[string]string{}, planned: map[string]*Change{}, single: map[string]string{}, reissue: map[string]bool{}, demanded: map[string]bool{}}
	if req.Prior != nil {
		for address, obj := range req.Prior.Objects {
			if obj.ID != "" {
				o.claimed[obj.Type+"\x00"+obj.ID] = address
			}
		}
	}
	return o
}

// shared are the addresses that Weir itself keeps on a list of the vendor which an exclusive block would clear: accounts
// that it made functional and that the hosted sync must not see (R40).
func (o *Objects) shared() []string {
	if o.keptRead || o.req.Prior == nil {
		return o.kept
	}
	o.keptRead = true
	for a := range o.req.Prior.Accounts.All() {
		if a.Converted {
			o.kept = append(o.kept, a.Address)
		}
	}
	return o.kept
}

// Reissue makes the objects at these addresses issue their secrets anew, since a value is needed that no later run than
// the one that issued it can have. It returns o.
func (o *Objects) Reissue(addresses []string) *Objects {
	for _, address := range addresses {
		o.reissue[address] = true
	}
	return o
}

// Suspend keeps the vendor's own sync from running by itself, for that reason; "" lets the policy decide. It returns o.
func (o *Objects) Suspend(reason string) *Objects {
	o.suspend = reason
	return o
}

// Plan compares one instance with its live object and with state. The change is complete but for what guards and
// selections do to it later.
func (o *Objects) Plan(inst *config.Instance) (*Change, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	table := inst.Type.Attributes
	address := inst.Address.String()
	prior := o.prior(address)
	if problem := o.second(inst); problem != nil {
		return nil, diags.Append(problem)
	}
	c := &Change{
		Address:      address,
		Type:         inst.Type.Name,
		Dependencies: inst.Dependencies,
		Sensitive:    sensitivePaths(table, inst.Config),
		Source:       place(inst.Ranges[""]),
		Created:      true,
		Before:       cty.NilVal,
	}
	configured, _ := inst.Config.UnmarkDeep()
	want := wanted(table, configured)
	c.PreventDestroy = o.protected(inst, prior)

	reading := o.req.Observed.Objects[inst.Type.Name]
	if prior != nil {
		c.From = o.req.moved[address]
	}
	if reading.Err != nil {
		c.Action = Unknown
		c.Wanted = want
		c.Reasons = append(c.Reasons, "could not be read, as is said of all "+inst.Type.Name+" objects")
		c.After = o.remembered(inst.Type, prior, want)
		if o.req.Sync && prior != nil {
			c.After = overlay(table, want, cty.NilVal, prior.Values) // what was applied is known without reading
		}
		o.planned[address] = c
		return c, diags
	}
	live, found, problem := o.find(inst, want, prior, reading.Live)
	if problem != nil {
		return nil, hcl.Diagnostics{problem}
	}
	var stored cty.Value
	if prior != nil {
		stored, c.Created = prior.Values, prior.Ownership == state.Created
	}
	if found {
		c.ID, c.Name, c.Before = live.ID, live.Name, live.Value
	}
	if !found && inst.Type.Project == nil && invisible(prior, o.req.Now) {
		o.req.waits = append(o.req.waits, Wait{Address: address, Text: fmt.Sprintf("%s was made and is not visible yet; the vendor has until %s to show it", address, prior.SettleUntil.Format(time.RFC3339))})
		c.Action, c.ID, c.Wanted = NoOp, resource.ObjectID(prior.ID), want
		c.After = o.remembered(inst.Type, prior, want)
		c.renamed()
		o.issued(c, inst, prior)
		o.planned[address] = c
		return c, diags
	}

	request := &resource.PlanRequest{
		Config: configured, Prior: orNull(stored, inst.Type), Live: orNull(c.Before, inst.Type), Planned: want,
		Tenant: o.req.Tenant, Mail: o.req.Observed.Mail, Now: o.req.Now,
		Doubt:       o.ours(address),
		Suspend:     o.suspend,
		Undelivered: prior != nil && (len(prior.Undelivered) > 0 || o.reissue[address]),
	}
	if inst.Type.Project != nil {
		request.Keep = o.shared()
		c.ours = append(strs(stored, "protects"), request.Keep...)
	}
	if inst.Type.FromDirectory {
		request.Directory = o.req.Facts
	}
	if inst.Type.Customize != nil {
		if err := inst.Type.Customize(request); err != nil {
			return nil, diags.Append(o.diagnostic(inst, "Invalid "+strings.ReplaceAll(inst.Type.Name, "_", " "), err))
		}
		want = request.Planned
		c.Reasons, c.Forced, c.forecast = append(c.Reasons, request.Reasons...), request.Force, request.Forecast
	}
	for _, text := range request.Notes {
		o.req.notes = append(o.req.notes, address+": "+text)
	}
	for _, text := range request.Waits {
		o.req.waits = append(o.req.waits, Wait{Address: address, Text: text})
	}
	if inst.Type.Project != nil && found {
		// The part of a shared collection that this block claims is known only now that the planned value is.
		part, ok := inst.Type.Project(live, want, orNull(stored, inst.Type))
		found = ok
		if ok {
			c.ID, c.Name, c.Before = part.ID, part.Name, part.Value
		} else {
			c.ID, c.Name, c.Before = "", "", cty.NilVal
		}
	}
	remembered := stored
	if prior == nil {
		remembered = cty.NilVal
	}
	c.Wanted = want
	c.After = overlay(table, want, c.Before, remembered)
	c.Versions = map[string]string{}

	replace, fixed := o.compare(c, inst, want, prior)
	if fixed != nil {
		return nil, diags.Append(fixed)
	}
	if inst.Lifecycle.Check != nil {
		diags = append(diags, inst.Lifecycle.Check(true, c.After)...)
	}

	switch {
	case !found && prior == nil:
		c.Action, c.Cause = Create, Configuration
	case !found:
		c.Action, c.Cause, c.ID = Create, Drift, ""
		c.Reasons = append(c.Reasons, "it is gone at the vendor, though state remembers it; it is made again")
		o.drift(c, inst, nil, prior)
	case prior == nil:
		c.Action, c.Cause, c.Created = Adopt, Configuration, o.ours(address)
		if o.req.Settings.Adopt == "refuse" && inst.Import == "" && !c.Created {
			return nil, diags.Append(&hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Object exists already",
				Detail: fmt.Sprintf("%s exists at the vendor (%s) and is not in state, and the weir block says adopt = \"refuse\". To manage it, write:\n\n    import {\n      to = %s\n      id = %q\n    }",
					address, describe(live), address, string(live.ID)),
				Subject: rangeOf(inst.Ranges[""]),
			})
		}
	default:
		o.drift(c, inst, &c.Before, prior)
		if len(c.Paths) > 0 || c.Forced {
			c.Action = Update
			c.Cause = overallCause(c.Paths)
		}
	}
	if prior != nil && found && prior.PreventDestroy != c.PreventDestroy {
		// Only Weir knows the protection, and it must know it when the block is gone.
		c.Paths = append(c.Paths, PathChange{Path: "lifecycle.prevent_destroy", Before: cty.BoolVal(prior.PreventDestroy), After: cty.BoolVal(c.PreventDestroy), Local: true, Cause: Configuration})
		if c.Action == NoOp {
			c.Action, c.Cause = Update, Configuration
		}
	}
	if replace && (c.Action == Update || c.Action == Adopt) {
		c.Action = DeleteCreate
		if inst.Lifecycle.CreateBeforeDestroy {
			c.Action = CreateDelete
		}
		c.After = overlay(table, want, cty.NilVal, remembered)
	}
	if c.Action == NoOp && under(address, o.req.Replace) {
		c.Action, c.Cause = DeleteCreate, Configuration
		c.Reasons = append(c.Reasons, "replacement was asked for")
		c.After = overlay(table, want, cty.NilVal, remembered)
	}
	if o.req.Sync && prior != nil {
		asApplied(c, inst.Type, prior)
	}
	c.renamed()
	if found {
		o.claimed[c.Type+"\x00"+string(c.ID)] = address
	}
	o.issued(c, inst, prior)
	o.planned[address] = c
	return c, diags
}

// second refuses a second block for an object of which a tenant has one: each would undo the other, and
// accounts would be decided about under one of the policies alone.
func (o *Objects) second(inst *config.Instance) *hcl.Diagnostic {
	address := inst.Address.String()
	first, taken := o.single[inst.Type.Name]
	if !inst.Type.Singleton || !taken || first == address {
		o.single[inst.Type.Name] = address
		return nil
	}
	name := strings.ReplaceAll(inst.Type.Name, "_", " ")
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Two blocks for one " + name, Subject: rangeOf(inst.Ranges[""]),
		Detail: fmt.Sprintf("A tenant has one %s, and both %s and %s configure that of %s. Leave one of them, with all that is to hold; or give each a tenant of its own.", name, first, address, tenantName(o.req.Tenant.Key)),
	}
}

// compare fills c.Paths and says whether a difference forces replacement. fixed is set when the block tries to change
// an identity.
func (o *Objects) compare(c *Change, inst *config.Instance, want cty.Value, prior *state.Object) (replace bool, fixed *hcl.Diagnostic) {
	table := inst.Type.Attributes
	have := c.Before
	stored, versions := cty.NilVal, map[string]string(nil)
	if prior != nil {
		stored, versions = prior.Values, prior.Versions
	}
	seen := map[string]bool{}
	for _, path := range resource.Differences(table, want, have) {
		a := lookup(table, path)
		if under(path, inst.Lifecycle.IgnoreChanges) && have != cty.NilVal {
			continue
		}
		p := PathChange{
			Path: path, Label: a.Label, After: resource.Get(want, path), Before: resource.Get(orEmpty(have), path),
			Sensitive: under(path, c.Sensitive), Cause: Configuration, Forces: a.Immutable && have != cty.NilVal,
		}
		if stored != cty.NilVal && p.After.IsWhollyKnown() && sameBy(a, p.After, resource.Get(stored, path)) {
			p.Cause = Drift
		}
		if a.Fixed && have != cty.NilVal {
			return false, o.fixed(inst, path, p.Before, p.After)
		}
		if settling(a, prior, path, p.Before, o.req.Now) {
			o.req.waits = append(o.req.waits, Wait{Address: c.Address, Text: fmt.Sprintf("%s was written and is not visible yet; the vendor has until %s to show it", path, prior.SettleUntil.Format(time.RFC3339))})
			continue
		}
		replace = replace || p.Forces
		seen[path] = true
		c.Paths = append(c.Paths, p)
	}
	storedWant := Stored(want)
	lost := have == cty.NilVal || stored != cty.NilVal && inst.Type.Lost != nil && inst.Type.Lost(stored, have)
	lost = lost && !o.req.Sync // what somebody took away is drift
	resource.Walk(table, func(path string, a *resource.Attribute) {
		w := resource.Get(want, path)
		switch {
		case seen[path]:
		case isNull(w) && a.Local && a.Argument() && !a.Computed && stored != cty.NilVal:
			// What only Weir knows, and the block says no more, is forgotten with the next apply: a sync goes by what is
			// remembered.
			if before := resource.Get(stored, path); !isNull(before) {
				c.Paths = append(c.Paths, PathChange{Path: path, Label: a.Label, Before: before, After: cty.NullVal(before.Type()), Local: true,
					Cause: Configuration, Sensitive: under(path, c.Sensitive)})
			}
		case isNull(w):
		case a.WriteOnly:
			if version, differs := o.version(path, w, versions); differs || lost {
				o.demand(w)
				c.Paths = append(c.Paths, PathChange{Path: path, Label: a.Label, WriteOnly: true, Sensitive: true,
					Before: cty.NullVal(cty.String), After: cty.NullVal(cty.String), Cause: Configuration})
			} else if version != "" {
				c.Versions[path] = version
			}
		case a.Local && a.Argument() && stored != cty.NilVal:
			before, after := resource.Get(stored, path), resource.Get(storedWant, path)
			if !w.IsWhollyKnown() || sameBy(a, after, before) {
				return
			}
			if a.Fixed {
				fixed = o.fixed(inst, path, before, after)
				return
			}
			c.Paths = append(c.Paths, PathChange{Path: path, Label: a.Label, Before: before, After: after, Local: true,
				Cause: Configuration, Sensitive: under(path, c.Sensitive)})
		}
	})
	sort.Slice(c.Paths, func(i, j int) bool { return c.Paths[i].Path < c.Paths[j].Path })
	return replace, fixed
}

// fixed refuses a block that tries to change an identity.
func (o *Objects) fixed(inst *config.Instance, path string, before, after cty.Value) *hcl.Diagnostic {
	return o.diagnostic(inst, "Identity cannot change", &resource.Error{Op: path, Attribute: path,
		Detail: fmt.Sprintf("the object has %s and the block says %s; it can be neither changed nor replaced. Restore the old value, or release the object and declare a new one", Text(before), Text(after))})
}

// version compares a write-only attribute's planned version with the remembered one. A reference whose value cannot
// be had now counts as unchanged: plan may run with an identity that cannot read it.
func (o *Objects) version(path string, w cty.Value, versions map[string]string) (string, bool) {
	remembered := versions[path]
	if !w.IsKnown() {
		return "", true
	}
	ref := resource.SecretOf(w)
	if ref == nil {
		return remembered, false
	}
	if ref.Issuer != "" {
		return ref.Version, ref.Version == "" || ref.Version != remembered
	}
	if remembered == "" {
		return "", true
	}
	if o.req.SecretVersion == nil {
		return remembered, false
	}
	version, err := o.req.SecretVersion(ref)
	if err != nil || version == "" {
		return remembered, false
	}
	return version, version != remembered
}

// demand notes which object must issue a secret anew so that w can be written: the value of one that was issued by an
// earlier run is known to nobody.
func (o *Objects) demand(w cty.Value) {
	if !w.IsKnown() {
		return
	}
	if ref := resource.SecretOf(w); ref != nil && ref.Issuer != "" && ref.Version != "" {
		address, _, _ := strings.Cut(ref.Issuer, "#")
		o.demanded[address] = true
	}
}

// issued gives the secrets that the object issues their value: a reference with the remembered key id, or unknown while
// a new one is about to be issued.
func (o *Objects) issued(c *Change, inst *config.Instance, prior *state.Object) {
	for i := range inst.Type.Attributes {
		a := &inst.Type.Attributes[i]
		if !a.Computed || a.Type != resource.SecretType {
			continue
		}
		if w := resource.Get(c.Wanted, a.Name); w != cty.NilVal && !w.IsKnown() || prior == nil || c.Action == Create ||
			c.Action == DeleteCreate || c.Action == CreateDelete || prior.Versions[a.Name] == "" {
			c.After = resource.With(c.After, a.Name, cty.UnknownVal(resource.SecretType))
			continue
		}
		ref := &resource.SecretRef{Issuer: c.Address + "#" + a.Name, Version: prior.Versions[a.Name]}
		c.After = resource.With(c.After, a.Name, resource.Secret(ref))
	}
}

// drift compares what state remembers with what is live now, for the attributes that state remembers as managed, and
// lists the object as drifted when somebody changed it. live nil: the object is gone.
func (o *Objects) drift(c *Change, inst *config.Instance, live *cty.Value, prior *state.Object) {
	stored := prior.Values
	if stored == cty.NilVal {
		return
	}
	d := &Change{Address: c.Address, Type: c.Type, Name: c.Name, ID: c.ID, Cause: Drift, Sensitive: c.Sensitive, Source: c.Source, Before: stored}
	if live == nil {
		d.Action = Delete
		o.req.drifted = append(o.req.drifted, d)
		return
	}
	d.Action, d.After = Update, *live
	resource.Walk(inst.Type.Attributes, func(path string, a *resource.Attribute) {
		if !a.Observable() || under(path, inst.Lifecycle.IgnoreChanges) {
			return
		}
		if isNull(resource.Get(c.Wanted, path)) {
			return // the block leaves it out, or only the vendor computes it; what Customize derived is managed
		}
		before, after := resource.Get(stored, path), resource.Get(*live, path)
		if isNull(before) || sameBy(a, before, after) || settling(a, prior, path, after, o.req.Now) {
			return
		}
		d.Paths = append(d.Paths, PathChange{Path: path, Label: a.Label, Before: before, After: after, Cause: Drift, Sensitive: under(path, c.Sensitive)})
	})
	if len(d.Paths) > 0 {
		o.req.drifted = append(o.req.drifted, d)
	}
}

// find looks for the instance's live object: by the id in state, else by import, else by natural key or behaviour. Two
// candidates are a problem that prints both import blocks.
func (o *Objects) find(inst *config.Instance, want cty.Value, prior *state.Object, all []resource.Live) (resource.Live, bool, *hcl.Diagnostic) {
	t := inst.Type
	if t.Project != nil || t.Singleton {
		if len(all) == 0 {
			return resource.Live{}, false, nil
		}
		return all[0], true, nil
	}
	id := resource.ObjectID(inst.Import)
	if prior != nil && prior.ID != "" {
		id = resource.ObjectID(prior.ID)
	}
	if id != "" {
		for _, l := range all {
			if l.ID == id {
				return l, true, nil
			}
		}
		if prior == nil {
			return resource.Live{}, false, o.diagnostic(inst, "Nothing to import", fmt.Errorf("no %s with id %q exists in tenant %q", t.Name, id, o.req.Tenant.Key))
		}
	}
	if !want.IsKnown() {
		return resource.Live{}, false, nil
	}
	var candidates []resource.Live
	for _, l := range all {
		if owner := o.claimed[t.Name+"\x00"+string(l.ID)]; owner != "" && owner != inst.Address.String() {
			continue
		}
		switch {
		case t.Match != nil:
			if t.Match(want, l.Value) {
				candidates = append(candidates, l)
			}
		case t.Key != nil:
			if k := t.Key(want); k != "" && k == t.Key(l.Value) {
				candidates = append(candidates, l)
			}
		}
	}
	switch len(candidates) {
	case 0:
		return resource.Live{}, false, nil
	case 1:
		return candidates[0], true, nil
	}
	var blocks strings.Builder
	for _, l := range candidates {
		fmt.Fprintf(&blocks, "\n\n    import {    # %s\n      to = %s\n      id = %q\n    }", describe(l), inst.Address, string(l.ID))
	}
	return resource.Live{}, false, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Several objects could be meant",
		Detail:   fmt.Sprintf("%d existing objects of tenant %q could be %s. Write one of these blocks to say which:%s", len(candidates), o.req.Tenant.Key, inst.Address, blocks.String()),
		Subject:  rangeOf(inst.Ranges[""]),
	}
}

// protected is prevent_destroy as it holds now: written, else by the type's default, else as remembered.
func (o *Objects) protected(inst *config.Instance, prior *state.Object) bool {
	if p := inst.Lifecycle.PreventDestroy; p != nil {
		return *p
	}
	if inst.Type.ProtectByDefault != nil {
		bare, _ := inst.Config.UnmarkDeep()
		return inst.Type.ProtectByDefault(bare)
	}
	return false
}

// ours reports whether an operation in doubt says that Weir began to make the object: then what is found is ours.
func (o *Objects) ours(address string) bool {
	return o.req.Prior != nil && len(o.req.Prior.DoubtsAbout(address, "")) > 0
}

func (o *Objects) prior(address string) *state.Object {
	if o.req.Prior == nil {
		return nil
	}
	return o.req.Prior.Objects[address]
}

// remembered stands in for an object that could not be read: what state knows of it, unknown where it knows nothing.
func (o *Objects) remembered(t *resource.Type, prior *state.Object, want cty.Value) cty.Value {
	members := map[string]cty.Value{}
	for i := range t.Attributes {
		a := &t.Attributes[i]
		v := cty.UnknownVal(a.ValueType())
		if prior != nil && prior.Values != cty.NilVal {
			if s := resource.Get(prior.Values, a.Name); s != cty.NilVal && !s.IsNull() && s.Type().Equals(a.ValueType()) {
				v = s
			}
		}
		members[a.Name] = v
	}
	return cty.ObjectVal(members)
}

func (o *Objects) diagnostic(inst *config.Instance, summary string, err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: sentence(inst.Address.String() + ": " + err.Error()), Subject: rangeOf(inst.Ranges[""])}
	if e, ok := err.(*resource.Error); ok && e.Attribute != "" {
		if r, ok := inst.Ranges[e.Attribute]; ok {
			d.Subject = &r
		}
	}
	return d
}

func sameBy(a *resource.Attribute, x, y cty.Value) bool {
	if x == cty.NilVal || y == cty.NilVal {
		return x == y
	}
	if x.IsNull() || y.IsNull() {
		if a.Normalize == nil {
			return x.IsNull() && y.IsNull()
		}
	}
	if !x.IsWhollyKnown() || !y.IsWhollyKnown() {
		return false
	}
	if !x.IsNull() && !y.IsNull() && !x.Type().Equals(y.Type()) {
		return false
	}
	if x.IsNull() {
		x = cty.NullVal(a.ValueType())
	}
	if y.IsNull() {
		y = cty.NullVal(a.ValueType())
	}
	return a.Normalize.Apply(x).RawEquals(a.Normalize.Apply(y))
}

func overallCause(paths []PathChange) Cause {
	for _, p := range paths {
		if p.Cause == Configuration {
			return Configuration
		}
	}
	if len(paths) > 0 {
		return paths[0].Cause
	}
	return Configuration
}

func orNull(v cty.Value, t *resource.Type) cty.Value {
	if v == cty.NilVal {
		return cty.NullVal(t.Object())
	}
	return v
}

func orEmpty(v cty.Value) cty.Value {
	if v == cty.NilVal {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return v
}

func describe(l resource.Live) string {
	if l.Name == "" {
		return string(l.ID)
	}
	return l.Name
}

func rangeOf(r hcl.Range) *hcl.Range {
	if r.Filename == "" {
		return nil
	}
	return &r
}

func place(r hcl.Range) string {
	if r.Filename == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line)
}

func sentence(s string) string {
	if s == "" || strings.ContainsRune(".!?", rune(s[len(s)-1])) {
		return s
	}
	return s + "."
}

// invisible reports whether an object that is not found may only not be shown yet: it was made a moment ago.
func invisible(prior *state.Object, now time.Time) bool {
	return prior != nil && now.Before(prior.SettleUntil) && prior.Previous == cty.NilVal
}

// settling reports whether a difference is only the vendor still showing the value before the last write.
func settling(a *resource.Attribute, prior *state.Object, path string, live cty.Value, now time.Time) bool {
	if prior == nil || !now.Before(prior.SettleUntil) || prior.Previous == cty.NilVal {
		return false
	}
	return sameBy(a, resource.Get(prior.Previous, path), live)
}
