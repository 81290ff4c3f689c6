package dirsync

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
)

// maxWindow is the longest window of a safeguard. State remembers removals for somewhat longer.
const maxWindow = 366 * 24 * time.Hour

// DecodePolicy reads the planned value of a sync_policy block. Attributes that are null or absent take the defaults of
// the reference; unknown ones are an error, since nothing may be decided on them.
func DecodePolicy(address string, planned cty.Value) (Policy, error) {
	d := &decoder{address: address}
	planned, _ = planned.UnmarkDeep()
	if planned == cty.NilVal || planned.IsNull() || !planned.IsKnown() || !planned.Type().IsObjectType() {
		return Policy{}, fmt.Errorf("%s: the policy is not known yet", address)
	}
	block := func(name string) cty.Value { return d.block(planned, name) }
	sync := d.stringList(planned, "sync", []string{"active_users", "distribution_groups", "security_groups"})
	for _, s := range sync {
		if !slices.Contains([]string{"active_users", "distribution_groups", "security_groups"}, s) {
			d.fail("sync", fmt.Sprintf("%q is none of active_users, distribution_groups, security_groups", s))
		}
	}
	p := Policy{
		Address:                address,
		Engine:                 d.enum(planned, "engine", EngineWeir, EngineWeir, EngineEssentials, EngineNone),
		NewUserRole:            directory.AccountType(d.enum(planned, "new_user_role", string(directory.EndUser), string(directory.EndUser), string(directory.SilentUser))),
		SyncUsers:              slices.Contains(sync, "active_users"),
		SyncDistributionGroups: slices.Contains(sync, "distribution_groups"),
		SyncSecurityGroups:     slices.Contains(sync, "security_groups"),
		Include:                directory.PredicateOf(d.get(planned, "include")),
		SharedMailboxes:        d.enum(planned, "shared_mailboxes", AsFunctional, AsFunctional, AsUser, AsSkip),
		Rooms:                  d.enum(planned, "rooms", AsSkip, AsFunctional, AsUser, AsSkip),
		BlockedSignIn:          d.enum(planned, "blocked_sign_in", AsFunctional, AsFunctional, AsDisable, AsKeep),
		Gone:                   d.enum(planned, "gone", AsDisable, AsDisable, AsFunctional, AsKeep, AsDelete),
		OutOfScope:             d.enum(planned, "out_of_scope", AsKeep, AsKeep, AsRemove),
		Strays:                 d.enum(planned, "strays", AsList, AsList, AsAdopt),
		DeleteAfter:            d.duration(planned, "delete_after", 0),
		Users:                  d.switches(block("users")),
		Groups:                 d.switches(block("groups")),
		OnRisk:                 d.enum(planned, "on_risk", "report", "report", "suspend"),
		MaxAge:                 d.duration(planned, "max_age", 3*time.Hour),
	}
	s := block("safeguard")
	p.Safeguard = Safeguard{
		MaxRemovals:       d.whole(s, "max_removals", 5),
		MaxRemovalPercent: d.number(s, "max_removal_percent", 10),
		MaxConversions:    d.whole(s, "max_conversions", 50),
		MaxAdditions:      d.whole(s, "max_additions", 500),
		Window:            d.duration(s, "window", 24*time.Hour),
		MinAdmins:         d.whole(s, "min_admins", 1),
	}
	for _, a := range d.stringList(s, "protected", nil) {
		p.Safeguard.Protected = append(p.Safeguard.Protected, directory.Fold(a))
	}
	slices.Sort(p.Safeguard.Protected)
	if a := d.block(s, "allow"); a != cty.NilVal {
		p.Safeguard.Allow = &Allow{
			Removals: d.whole(a, "removals", 0),
			Reason:   d.text(a, "reason", ""),
			Until:    d.date(a, "until"),
		}
	}
	if w := p.Safeguard.Window; w <= 0 || w > maxWindow {
		d.fail("safeguard.window", "it lies above 0 and is at most a year: a limit that forgets at once is none, and removals are not remembered for longer")
	}
	if p.Safeguard.MaxRemovalPercent > 100 {
		d.fail("safeguard.max_removal_percent", "it is more than 100")
	}
	return p, d.err
}

// decoder keeps the first error, so that the caller reads as a table.
type decoder struct {
	address string
	err     error
}

func (d *decoder) fail(name, why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: attribute %s: %s", d.address, name, why)
	}
}

// get returns the attribute, or NilVal when it is absent or null.
func (d *decoder) get(v cty.Value, name string) cty.Value {
	if v == cty.NilVal || !v.Type().IsObjectType() || !v.Type().HasAttribute(name) {
		return cty.NilVal
	}
	a := v.GetAttr(name)
	if !a.IsKnown() {
		d.fail(name, "its value is not known yet; nothing is decided on it")
		return cty.NilVal
	}
	if a.IsNull() {
		return cty.NilVal
	}
	return a
}

// block returns a nested object, given as such or as a collection of at most one.
func (d *decoder) block(v cty.Value, name string) cty.Value {
	b := d.get(v, name)
	if b == cty.NilVal || b.Type().IsObjectType() {
		return b
	}
	if !b.CanIterateElements() {
		d.fail(name, "it is no block")
		return cty.NilVal
	}
	if b.LengthInt() == 0 {
		return cty.NilVal
	}
	it := b.ElementIterator()
	it.Next()
	_, first := it.Element()
	if !first.IsKnown() || first.IsNull() || !first.Type().IsObjectType() {
		d.fail(name, "its value is not known yet; nothing is decided on it")
		return cty.NilVal
	}
	return first
}

func (d *decoder) text(v cty.Value, name, otherwise string) string {
	a := d.get(v, name)
	if a == cty.NilVal {
		return otherwise
	}
	if a.Type() != cty.String {
		d.fail(name, "it is no string")
		return otherwise
	}
	return a.AsString()
}

func (d *decoder) enum(v cty.Value, name, otherwise string, allowed ...string) string {
	s := d.text(v, name, otherwise)
	if !slices.Contains(allowed, s) {
		d.fail(name, fmt.Sprintf("%q is none of %s", s, strings.Join(allowed, ", ")))
	}
	return s
}

func (d *decoder) bool(v cty.Value, name string, otherwise bool) bool {
	a := d.get(v, name)
	if a == cty.NilVal {
		return otherwise
	}
	if a.Type() != cty.Bool {
		d.fail(name, "it is neither true nor false")
		return otherwise
	}
	return a.True()
}

func (d *decoder) number(v cty.Value, name string, otherwise float64) float64 {
	a := d.get(v, name)
	if a == cty.NilVal {
		return otherwise
	}
	if a.Type() != cty.Number {
		d.fail(name, "it is no number")
		return otherwise
	}
	f, _ := a.AsBigFloat().Float64()
	if f < 0 {
		d.fail(name, "it is negative")
	}
	return f
}

func (d *decoder) whole(v cty.Value, name string, otherwise int) int {
	a := d.get(v, name)
	if a == cty.NilVal {
		return otherwise
	}
	if a.Type() != cty.Number {
		d.fail(name, "it is no number")
		return otherwise
	}
	n, accuracy := a.AsBigFloat().Int64()
	if accuracy != big.Exact || n < 0 || n > 1<<31-1 {
		d.fail(name, "it is no whole number from 0")
		return otherwise
	}
	return int(n)
}

func (d *decoder) stringList(v cty.Value, name string, otherwise []string) []string {
	a := d.get(v, name)
	if a == cty.NilVal {
		return otherwise
	}
	if !a.CanIterateElements() || a.Type().IsMapType() || a.Type().IsObjectType() {
		d.fail(name, "it is no list of strings")
		return otherwise
	}
	list := []string{}
	for it := a.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if !e.IsKnown() {
			d.fail(name, "one of its values is not known yet; nothing is decided on it")
			return otherwise
		}
		if e.IsNull() || e.Type() != cty.String {
			d.fail(name, "it is no list of strings")
			return otherwise
		}
		list = append(list, e.AsString())
	}
	return list
}

func (d *decoder) switches(v cty.Value) Switches {
	return Switches{Add: d.bool(v, "add", true), Update: d.bool(v, "update", true), Remove: d.bool(v, "remove", true)}
}

func (d *decoder) duration(v cty.Value, name string, otherwise time.Duration) time.Duration {
	s := d.text(v, name, "")
	if s == "" {
		return otherwise
	}
	out, err := parseDuration(s)
	if err != nil {
		d.fail(name, err.Error())
	}
	return out
}

// date reads a day, which counts to its end in UTC, or an instant in RFC 3339.
func (d *decoder) date(v cty.Value, name string) time.Time {
	s := d.text(v, name, "")
	if s == "" {
		return time.Time{}
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t.AddDate(0, 0, 1)
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		d.fail(name, fmt.Sprintf("%q is neither a day such as 2026-12-31 nor an instant such as 2026-12-31T18:00:00Z", s))
	}
	return t.UTC()
}

// parseDuration reads whole numbers with the units m, h, d, w and y (365 days), largest units first or not: "30d",
// "1d12h".
func parseDuration(s string) (time.Duration, error) {
	units := map[byte]time.Duration{
		'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour, 'y': 365 * 24 * time.Hour,
	}
	bad := fmt.Errorf("%q is no duration such as 30d, 24h or 90m", s)
	var total time.Duration
	for rest := s; rest != ""; {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		if i == 0 || i == len(rest) || units[rest[i]] == 0 {
			return 0, bad
		}
		n, err := strconv.Atoi(rest[:i])
		// A hundred years is more than anybody means, and far from overflow.
		if err != nil || n > 100*365*24*60 {
			return 0, bad
		}
		step := time.Duration(n) * units[rest[i]]
		if step/units[rest[i]] != time.Duration(n) || total+step < total || total+step > 100*365*24*time.Hour {
			return 0, bad
		}
		total += step
		rest = rest[i+1:]
	}
	return total, nil
}
