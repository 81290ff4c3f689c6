package exchange

import (
	"maps"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// family is a kind of object with Get-, New-, Set- and Remove- cmdlets.
type family struct {
	noun       string
	container  string // of the distinguished name
	area       area
	attributes []attribute
	gets, sets []attribute // further parameters of Get- and Set-/New-
	objects    func(*world.Exchange) *[]*world.ExchangeObject
	// filter decides which objects a Get- returns.
	filter func(*invocation, *world.ExchangeObject) bool
	// check refuses values that contradict one another; before is nil for a new object.
	check func(c *invocation, next, before map[string]any) *failure
	// place puts a new or changed object in its order; nil appends.
	place func(c *invocation, all []*world.ExchangeObject, o *world.ExchangeObject) ([]*world.ExchangeObject, *failure)
	// finish adds what is computed to a row.
	finish func(row map[string]any, o *world.ExchangeObject, position int)
}

// object finds by name (without case), GUID or distinguished name; -1 when there is none.
func (f *family) find(c *invocation, all []*world.ExchangeObject, identity string) int {
	wanted := strings.Trim(identity, "{}")
	for i, o := range all {
		if strings.EqualFold(o.GUID, wanted) {
			return i
		}
	}
	return slices.IndexFunc(all, func(o *world.ExchangeObject) bool {
		return strings.EqualFold(o.Name, identity) || strings.EqualFold(f.distinguished(c, o), identity)
	})
}

func (f *family) distinguished(c *invocation, o *world.ExchangeObject) string {
	return "CN=" + o.Name + ",CN=" + f.container + ",CN=Configuration,CN=" + organizationOf(c.tenant) + ",CN=ConfigurationUnits,DC=EXAMPLE,DC=PROD,DC=OUTLOOK,DC=COM"
}

func (f *family) row(c *invocation, position int, o *world.ExchangeObject) map[string]any {
	row := map[string]any{}
	show(row, f.attributes, o.Values)
	maps.Copy(row, map[string]any{
		"Name": o.Name, "Identity": o.Name, "Id": o.Name, "AdminDisplayName": "", "IsValid": true,
		"DistinguishedName": f.distinguished(c, o), "ObjectState": "Unchanged",
		"OrganizationId": organizationOf(c.tenant), "ExchangeObjectId": asGUID(o.GUID), "Guid": asGUID(o.GUID),
		"WhenCreated": asDate(localTime, o.Created), "WhenCreatedUTC": asDate(utcTime, o.Created.UTC()),
		"WhenChanged": asDate(localTime, o.Changed), "WhenChangedUTC": asDate(utcTime, o.Changed.UTC()),
	})
	if f.finish != nil {
		f.finish(row, o, position)
	}
	return row
}

func (f *family) get(c *invocation) (output, *failure) {
	all := *f.objects(c.view)
	if identity := c.text("Identity"); identity != "" {
		i := f.find(c, all, identity)
		switch {
		case i >= 0:
			return rows(c, all[i:i+1], func(_ int, o *world.ExchangeObject) map[string]any { return f.row(c, i, o) }), nil
		case !c.switches.UnknownIdentityReturnsAll:
			return output{}, notFound(identity)
		}
	}
	type place struct {
		at int
		o  *world.ExchangeObject
	}
	var kept []place
	for i, o := range all {
		if f.filter == nil || f.filter(c, o) {
			kept = append(kept, place{i, o})
		}
	}
	return rows(c, kept, func(_ int, p place) map[string]any { return f.row(c, p.at, p.o) }), nil
}

func (f *family) create(c *invocation) (output, *failure) {
	all := f.objects(c.live)
	name := c.text("Name")
	if failed := f.free(*all, name, nil); failed != nil {
		return output{}, failed
	}
	values := c.written(f.attributes, nil)
	if f.check != nil {
		if failed := f.check(c, values, nil); failed != nil {
			return output{}, failed
		}
	}
	o := &world.ExchangeObject{GUID: c.server.world.NewGUID(), Name: name, Values: values, Created: c.now, Changed: c.now}
	next, failed := f.put(c, slices.Clone(*all), o)
	if failed != nil {
		return output{}, failed
	}
	*all = next
	at := slices.Index(next, o)
	return rows(c, next[at:at+1], func(_ int, o *world.ExchangeObject) map[string]any { return f.row(c, at, o) }), nil
}

func (f *family) set(c *invocation) (output, *failure) {
	all := f.objects(c.live)
	i := f.find(c, *all, c.text("Identity"))
	if i < 0 {
		return output{}, notFound(c.text("Identity"))
	}
	old := (*all)[i]
	o := &world.ExchangeObject{GUID: old.GUID, Name: old.Name, Created: old.Created, Changed: old.Changed}
	if c.has("Name") {
		if o.Name = c.text("Name"); o.Name == "" {
			return output{}, bad(typeValidation, "The property 'Name' can't be empty.")
		}
		if failed := f.free(*all, o.Name, old); failed != nil {
			return output{}, failed
		}
	}
	o.Values = c.written(f.attributes, old.Values)
	if f.check != nil {
		if failed := f.check(c, o.Values, old.Values); failed != nil {
			return output{}, failed
		}
	}
	others := slices.Clone(*all)
	others[i] = o
	if c.has("Priority") {
		others = slices.Delete(others, i, i+1)
		var failed *failure
		if others, failed = f.put(c, others, o); failed != nil {
			return output{}, failed
		}
	}
	if others[i] == o && o.Name == old.Name && same(f.attributes, o.Values, old.Values) {
		return output{warnings: unchanged(old.Name)}, nil
	}
	o.Changed = c.now
	*all = others
	return output{}, nil
}

func (f *family) remove(c *invocation) (output, *failure) {
	all := f.objects(c.live)
	i := f.find(c, *all, c.text("Identity"))
	if i < 0 {
		return output{}, notFound(c.text("Identity"))
	}
	*all = slices.Delete(slices.Clone(*all), i, i+1)
	return output{}, nil
}

func (f *family) put(c *invocation, all []*world.ExchangeObject, o *world.ExchangeObject) ([]*world.ExchangeObject, *failure) {
	if f.place != nil {
		return f.place(c, all, o)
	}
	return append(all, o), nil
}

func (f *family) free(all []*world.ExchangeObject, name string, but *world.ExchangeObject) *failure {
	for _, o := range all {
		if o != but && strings.EqualFold(o.Name, name) {
			return bad(typeExists, "The proposed %s name '%s' already exists. Please specify another name.", f.noun, name)
		}
	}
	return nil
}

// maxName is the longest name: documented for outbound connectors and rules, inferred for inbound connectors.
const maxName = 64

func (f *family) cmdlets() []*cmdlet {
	identity := attribute{name: "Identity", must: true}
	name := attribute{name: "Name", max: maxName}
	get := append([]attribute{{name: "Identity"}, {name: "ResultSize", kind: unlimited}}, f.gets...)
	created := append([]attribute{name}, f.sets...)
	created[0].must = true
	changed := append([]attribute{identity, name}, f.sets...)
	for _, a := range f.attributes {
		if a.use&onNew != 0 {
			created = append(created, a)
		}
		if a.use&onSet != 0 {
			a.must = false
			changed = append(changed, a)
		}
	}
	return []*cmdlet{
		{name: "Get-" + f.noun, area: f.area, parameters: get, run: f.get},
		{name: "New-" + f.noun, area: f.area, parameters: created, changes: true, run: f.create},
		{name: "Set-" + f.noun, area: f.area, parameters: changed, changes: true, run: f.set},
		{name: "Remove-" + f.noun, area: f.area, parameters: []attribute{identity}, changes: true, run: f.remove},
	}
}
