package entra

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/resource"
)

// DataTypes are the data sources of this package.
func DataTypes() []*resource.DataType { return []*resource.DataType{directoryType()} }

// groupType is what data "directory" says of one group.
var groupType = cty.Object(map[string]cty.Type{"id": cty.String, "address": cty.String, "kind": cty.String})

func directoryType() *resource.DataType {
	const directoryPages = "Microsoft Graph: organization, domain and group resource types (November 2026)"
	return &resource.DataType{
		Name:     "directory",
		Purpose:  "The Entra directory of a tenant: organization, domains, counts and named groups, never people.",
		Provider: "microsoft",
		Attributes: []resource.Attribute{
			{Name: "organization", Computed: true, Description: "The Entra tenant.", Nested: []resource.Attribute{
				{Name: "id", Type: cty.String, Computed: true, Label: "Tenant ID", Description: "Tenant id, a GUID.", Source: directoryPages},
				{Name: "name", Type: cty.String, Computed: true, Label: "Name", Description: "Display name.", Source: directoryPages},
				{Name: "country", Type: cty.String, Computed: true, Label: "Country or region", Description: "Two letters; null when the directory has none.", Source: directoryPages},
			}},
			{Name: "domains", Type: cty.List(cty.String), Computed: true, Label: "Custom domain names", Description: "All domains, verified or not, lower case, sorted.", Source: directoryPages},
			{Name: "verified_domains", Type: cty.Set(cty.String), Computed: true, Description: "The verified domains, lower case.", Source: directoryPages},
			{Name: "default_domain", Type: cty.String, Computed: true, Label: "Primary domain", Description: "The default domain.", Source: directoryPages},
			{Name: "initial_domain", Type: cty.String, Computed: true, Description: "The domain that the tenant began with (onmicrosoft.com).", Source: directoryPages},
			{Name: "mail_host", Type: cty.Map(cty.String), Computed: true, Permission: "Domain.Read.All", Description: "The host that takes mail for a verified domain in Exchange Online, by domain.", Source: directoryPages},
			{Name: "mail_host_inferred", Type: cty.Set(cty.String), Computed: true,
				Description: "Domains whose mail_host follows from the name alone, because the directory names none or may not be asked.", Source: "inferred"},
			{Name: "counts", Type: cty.Map(cty.Number), Computed: true, Description: "Number of users, guests, contacts and groups, by kind.", Source: directoryPages},
			{Name: "groups", Type: cty.Map(groupType), Computed: true, Description: "Groups by display name: id, address and kind. A name that several groups have is left out.", Source: directoryPages},
		},
		Read: readDirectoryData,
	}
}

// directoryData is what data "directory" gave in this run: ten references are one read.
type directoryData struct {
	once  sync.Once
	value cty.Value
	err   error
}

func readDirectoryData(ctx context.Context, conn *resource.Conn, _ cty.Value) (cty.Value, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return cty.NilVal, err
	}
	c.mu.Lock()
	if c.data == nil {
		c.data = &directoryData{}
	}
	d := c.data
	c.mu.Unlock()
	d.once.Do(func() { d.value, d.err = c.directoryValue(ctx) })
	if d.err != nil && errors.Is(d.err, context.Canceled) {
		// Another reference may come with a context that lives.
		c.mu.Lock()
		if c.data == d {
			c.data = nil
		}
		c.mu.Unlock()
	}
	return d.value, d.err
}

func (c *Client) directoryValue(ctx context.Context) (cty.Value, error) {
	members := resource.Null(directoryType().Attributes)
	o, err := c.organization(ctx)
	if err != nil {
		return cty.NilVal, err
	}
	country := cty.NullVal(cty.String)
	if o.country != "" {
		country = cty.StringVal(o.country)
	}
	members["organization"] = cty.ObjectVal(map[string]cty.Value{"id": cty.StringVal(o.id), "name": cty.StringVal(o.name), "country": country})
	if err := c.domainValues(ctx, members); err != nil {
		return cty.NilVal, err
	}
	counts := map[string]cty.Value{}
	users, err := c.count(ctx, "users", "")
	if err != nil {
		return cty.NilVal, err
	}
	guests, err := c.count(ctx, "users", "userType eq 'Guest'")
	if err != nil {
		return cty.NilVal, err
	}
	contacts, err := c.count(ctx, "contacts", "")
	if err != nil {
		return cty.NilVal, err
	}
	// userType is null on old members, so they are what is no guest.
	for kind, n := range map[string]int{"user": users - guests, "guest": guests, "contact": contacts} {
		counts[kind] = cty.NumberIntVal(int64(n))
	}
	groups, kinds, err := c.groupValues(ctx)
	if err != nil {
		return cty.NilVal, err
	}
	for _, k := range []directory.Kind{directory.DistributionGroup, directory.SecurityGroup, directory.Microsoft365Group} {
		counts[string(k)] = cty.NumberIntVal(int64(kinds[k]))
	}
	members["groups"], members["counts"] = groups, cty.MapVal(counts)
	return cty.ObjectVal(members), nil
}

func (c *Client) domainValues(ctx context.Context, members map[string]cty.Value) error {
	all, err := c.domains(ctx)
	if err != nil {
		return err
	}
	var names, verified, inferred []string
	hosts := map[string]cty.Value{}
	askable := true
	for _, d := range all {
		names = append(names, d.name)
		if d.isDefault {
			members["default_domain"] = cty.StringVal(d.name)
		}
		if d.initial {
			members["initial_domain"] = cty.StringVal(d.name)
		}
		if !d.verified {
			continue
		}
		verified = append(verified, d.name)
		if !d.mail {
			continue // takes no mail in Exchange Online
		}
		host := ""
		if askable {
			host, err = c.mailHost(ctx, d.name)
			switch {
			case errors.Is(err, resource.ErrDenied):
				askable = false // reading the records needs a permission that the domains do not
			case err != nil:
				return err
			}
		}
		if host == "" {
			host = derivedHost(d)
			inferred = append(inferred, d.name)
		}
		hosts[d.name] = cty.StringVal(host)
	}
	members["domains"], members["verified_domains"] = stringList(names), resource.StringSet(verified)
	members["mail_host_inferred"] = resource.StringSet(inferred)
	members["mail_host"] = cty.MapValEmpty(cty.String)
	if len(hosts) > 0 {
		members["mail_host"] = cty.MapVal(hosts)
	}
	return nil
}

// derivedHost is the usual name of a domain's host: dashes for dots below mail.protection.outlook.com, and for the initial
// domain its first label alone. That it holds for every domain is inferred; newer ones may have a host of another form.
func derivedHost(d domain) string {
	name := d.name
	if d.initial {
		name, _, _ = strings.Cut(name, ".")
	}
	return strings.ReplaceAll(name, ".", "-") + ".mail.protection.outlook.com"
}

func stringList(all []string) cty.Value {
	if len(all) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	return cty.ListVal(resource.StringSet(all).AsValueSlice())
}

// groupValues lists groups without members. A list in doubt is an error: what is not in it would count as no group.
func (c *Client) groupValues(ctx context.Context) (cty.Value, map[directory.Kind]int, error) {
	kinds := map[directory.Kind]int{}
	byName := map[string][]*directory.Entry{}
	seen := unique{}
	w := walk{source: "groups", first: "/groups?$select=" + groupFields + "&$count=true&$top=" + pageSize, eventual: true}
	n := 0
	proof, err := each(ctx, c, w, func(page []wireGroup) error {
		for i := range page {
			if err := seen.add(page[i].ID); err != nil {
				return err
			}
			n++
			e := page[i].entry()
			kinds[e.Kind]++
			byName[e.Name] = append(byName[e.Name], e)
		}
		return nil
	})
	if err != nil {
		return cty.NilVal, nil, err
	}
	if c.agree(ctx, &proof, n); !proof.Complete {
		return cty.NilVal, nil, &resource.Error{Op: "list groups", Kind: resource.ErrUnavailable, Detail: proof.Problem}
	}
	groups := map[string]cty.Value{}
	for name, list := range byName {
		if len(list) != 1 || name == "" {
			continue
		}
		e := list[0]
		groups[name] = cty.ObjectVal(map[string]cty.Value{"id": cty.StringVal(e.ObjectID), "address": cty.StringVal(e.Address), "kind": cty.StringVal(string(e.Kind))})
	}
	if len(groups) == 0 {
		return cty.MapValEmpty(groupType), kinds, nil
	}
	return cty.MapVal(groups), kinds, nil
}
