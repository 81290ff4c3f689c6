package world

import (
	"encoding/json"
	"slices"
)

// organizationTargets are the things of an organization that an edit can address.
var organizationTargets = []string{
	"user", "domain", "idp", "product", "dkim", "azure", "login", "mfa", "ldap", "features", "tagging", "group_lists",
	"exemptions", "allow_list", "block_list", "tag_exempt", "outgoing", "set", "remove",
}

func (w *World) editOrganization(e edit) error {
	name, err := e.text("organization")
	if err != nil {
		return err
	}
	o := w.Organization(name)
	if o == nil {
		var known []string
		for _, x := range w.Organizations {
			known = append(known, x.PrimaryDomain)
		}
		return unknown("organization", name, known)
	}
	for _, target := range organizationTargets {
		raw, ok := e[target]
		if !ok {
			continue
		}
		switch target {
		case "azure":
			delete(e, target)
			return setting(&o.Azure, raw)
		case "ldap":
			delete(e, target)
			return setting(&o.LDAP, raw)
		case "login":
			return patch(&o.Login, e.take(target))
		case "mfa":
			return patch(&o.MFA, e.take(target))
		case "features":
			return merge(&o.Features, e.take(target))
		case "tagging":
			return merge(&o.Tagging, e.take(target))
		case "group_lists":
			return merge(&o.GroupLists, e.take(target))
		case "exemptions":
			err := members(&o.Exemptions, e.take(target), lower)
			slices.Sort(o.Exemptions)
			return err
		case "allow_list":
			return members(&o.Allow, e.take(target), same)
		case "block_list":
			return members(&o.Block, e.take(target), same)
		case "tag_exempt":
			return members(&o.TagExempt, e.take(target), lower)
		case "outgoing":
			return members(&o.Outgoing, e.take(target), same)
		case "set":
			return w.editOrganizationItself(o, e)
		case "remove":
			if _, _, err := e.verb("remove"); err != nil {
				return err
			}
			w.RemoveOrganization(o)
			return nil
		}
		key, err := e.text(target)
		if err != nil {
			return err
		}
		return w.editMember(o, target, key, e)
	}
	return unknown("thing of an organization", firstKey(e), organizationTargets)
}

func (w *World) editOrganizationItself(o *Organization, e edit) error {
	if err := patchScalars(o, e.take("set")); err != nil {
		return err
	}
	w.Reindex() // eid, parent or primary domain may be among them
	return nil
}

func (w *World) editMember(o *Organization, target, key string, e edit) error {
	var err error
	switch target {
	case "user":
		c := listOf("user", &o.Users, func(u *User) string { return u.PrimaryEmail }, func(k string) *User {
			return &User{UID: w.NewUID(), PrimaryEmail: k, Type: "end_user", IsActive: true, IsBillable: true}
		})
		c.find = o.User
		err = one(c, key, e)
		o.Reindex()
		for uid := range o.SyncedUIDs {
			if o.UserByUID(uid) == nil {
				delete(o.SyncedUIDs, uid)
			}
		}
	case "domain":
		err = one(listOf("domain", &o.Domains, func(d *Domain) string { return d.Name }, func(k string) *Domain {
			return &Domain{Name: lower(k), IsActive: true, Verification: w.VerificationCode(k)}
		}), key, e)
		w.Reindex()
	case "idp":
		err = one(listOf("identity provider", &o.IdPs, func(i *IdP) string { return i.Name }, func(k string) *IdP {
			return &IdP{ID: w.NewGUID(), Name: k, IsActive: true}
		}), key, e)
	case "product":
		err = one(listOf("product", &o.Products, func(p *Product) string { return p.Label }, func(k string) *Product {
			return &Product{Label: k}
		}), key, e)
	case "dkim":
		err = one(listOf("DKIM key", &o.DKIM, func(k *DKIMKey) string { return k.Selector }, func(k string) *DKIMKey {
			return &DKIMKey{DID: w.NewUID(), Selector: k, Domain: o.PrimaryDomain}
		}), key, e)
	}
	return err
}

// setting merges fields into an object that may be absent; null makes it absent.
func setting[T any](p **T, raw json.RawMessage) error {
	if string(raw) == "null" {
		*p = nil
		return nil
	}
	next := new(T)
	if *p != nil {
		*next = **p
	}
	if err := patch(next, raw); err != nil {
		return err
	}
	*p = next
	return nil
}

func same(s string) string { return s }

// firstKey names a member of the edit for an error text.
func firstKey(e edit) string {
	for k := range e {
		return k
	}
	return ""
}
