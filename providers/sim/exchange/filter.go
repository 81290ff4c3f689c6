package exchange

import (
	"iter"
	"regexp"
	"strings"
	"time"
)

// oneComparison is the only form of an OPATH filter that the simulator knows: Property -op 'value'.
var oneComparison = regexp.MustCompile(`^\s*\(?\s*([A-Za-z]+)\s+-([A-Za-z]+)\s+'([^']*)'\s*\)?\s*$`)

// filterTimes are notations of a date in a filter: the documentation's example, and ISO 8601. A property whose name ends in
// UTC is compared in UTC.
var filterTimes = []string{"1/2/2006 3:04:05 PM", "1/2/2006", time.RFC3339Nano}

// mailboxFilter reads the parameter Filter of Get-Mailbox: WhenChangedUTC with -gt, -ge, -lt or -le, and
// ExternalDirectoryObjectId with -eq. Both are documented as filterable ("Filterable properties for the Filter parameter",
// November 2026); that the comparison is made to the second is inferred.
func (c *invocation) mailboxFilter() (func(recipient) bool, *failure) {
	written := c.text("Filter")
	switch {
	case written == "":
		return nil, nil
	case c.switches.MailboxFilterRefused:
		return nil, bad(typeArgument, "The filter \"%s\" is not supported.", written)
	case c.switches.MailboxFilterIgnored:
		return nil, nil
	}
	m := oneComparison.FindStringSubmatch(written)
	if m == nil {
		return nil, notSimulated("the filter %q", written)
	}
	property, operator, value := strings.ToLower(m[1]), strings.ToLower(m[2]), m[3]
	switch property {
	case "externaldirectoryobjectid":
		if operator != "eq" {
			return nil, notSimulated("the filter %q", written)
		}
		return func(r recipient) bool { return strings.EqualFold(r.id, value) }, nil
	case "whenchangedutc":
		holds := map[string]func(at, t time.Time) bool{
			"gt": time.Time.After, "ge": func(at, t time.Time) bool { return !at.Before(t) },
			"lt": time.Time.Before, "le": func(at, t time.Time) bool { return !at.After(t) },
		}[operator]
		if holds == nil {
			return nil, notSimulated("the filter %q", written)
		}
		t, ok := filterTime(value)
		if !ok {
			return nil, bad(typeArgument, "Cannot bind parameter 'Filter' to the target. String '%s' was not recognized as a valid DateTime.", value)
		}
		return func(r recipient) bool {
			return holds(r.changed(c.switches.MailboxChangesUnmarked).Truncate(time.Second), t)
		}, nil
	}
	return nil, notSimulated("a filter by %s", m[1])
}

// candidates are the recipients that a list looks at: those behind the page before, or of a list that is filtered by
// ExternalDirectoryObjectId the one that it can hold, so that asking for one costs the same in a tenant of any size.
func (c *invocation) candidates() iter.Seq[recipient] {
	m := oneComparison.FindStringSubmatch(c.text("Filter"))
	if m == nil || !strings.EqualFold(m[1], "ExternalDirectoryObjectId") || c.switches.MailboxFilterIgnored || c.page.after != "" {
		return recipientsAfter(c.tenant, c.page.after)
	}
	return func(yield func(recipient) bool) {
		switch id := m[3]; {
		case c.tenant.Person(id) != nil:
			if p := c.tenant.Person(id); p.MailboxKind != "" {
				yield(ofPerson(p))
			}
		case c.tenant.Group(id) != nil:
			if g := c.tenant.Group(id); g.MailEnabled {
				yield(ofGroup(g))
			}
		case c.tenant.Contact(id) != nil:
			yield(ofContact(c.tenant.Contact(id)))
		}
	}
}

func filterTime(s string) (time.Time, bool) {
	for _, layout := range filterTimes {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// changed is the recipient's WhenChangedUTC. Only people's is kept.
func (r recipient) changed(unmarked bool) time.Time {
	switch {
	case r.person == nil:
		return time.Time{}
	case unmarked || r.person.MailboxChanged.IsZero():
		return r.person.Created.UTC()
	}
	return r.person.MailboxChanged.UTC()
}
