package exchange

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// mailboxPage is the body of the REST-backed mailbox list.
type mailboxPage struct {
	Context  string           `json:"@odata.context"`
	NextLink string           `json:"@odata.nextLink,omitempty"`
	Value    []map[string]any `json:"value"`
}

var (
	mailboxKey    = regexp.MustCompile(`^Mailbox\('([^']+)'\)$`)
	mailboxFilter = regexp.MustCompile(`(?i)^\(?\s*RecipientTypeDetails eq '([A-Za-z]+)'\s*\)?$`)
	disjunction   = regexp.MustCompile(`(?i)\s+or\s+`)
)

// mailboxes answers GET /Mailbox and /Mailbox('identity'), behind Get-EXOMailbox: the minimal property set, and filters
// by kind only.
func (s *server) mailboxes(r *http.Request, tenant, rest string) *reply {
	annotate(r, func(call *world.Call) { call.Tenant, call.Operation = tenant, "Get-EXOMailbox" })
	if r.Method != http.MethodGet {
		return plain(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+r.Method+"'.")
	}
	unlock := s.lock(false)
	defer unlock()
	who, refused := s.authenticate(r, tenant)
	if refused != nil {
		return refused
	}
	annotate(r, func(call *world.Call) { call.Tenant = who.tenant.ID })
	if !who.may(s.cmdlets["get-mailbox"]) {
		return nulls()
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return unimplemented(r, "query "+r.URL.RawQuery)
	}
	q, size, kinds := query{}, pageSize(r.Header.Values("Prefer")), []string(nil)
	limit := int(^uint(0) >> 1)
	for key, list := range values {
		switch strings.ToLower(key) {
		case "$skiptoken", "$select", "region":
		case "$top":
			if limit, err = strconv.Atoi(list[0]); err != nil || limit < 1 {
				return refuse(r, bad(typeArgument, "The value of $top must be a positive number."))
			}
		case "$filter":
			for _, part := range disjunction.Split(strings.TrimSpace(list[0]), -1) {
				m := mailboxFilter.FindStringSubmatch(strings.TrimSpace(part))
				if m == nil {
					return unimplemented(r, fmt.Sprintf("$filter %q", list[0]))
				}
				kinds = append(kinds, m[1])
			}
		default:
			return unimplemented(r, fmt.Sprintf("query option %q", key))
		}
	}
	rawSelect := url.Values{}
	for _, key := range []string{"$select", "$skiptoken"} {
		if values.Has(key) {
			rawSelect.Set(key, values.Get(key))
		}
	}
	if q, err = parseQuery(&url.URL{RawQuery: rawSelect.Encode()}); err != nil {
		return unimplemented(r, err.Error())
	}
	body := mailboxPage{Context: fmt.Sprintf("https://%s/adminapi/beta/%s/$metadata#Mailbox", r.Host, who.tenant.ID), Value: []map[string]any{}}
	keep := func(m recipient) bool {
		return m.mailbox() && (kinds == nil || slices.ContainsFunc(kinds, func(k string) bool { return strings.EqualFold(k, m.kind) }))
	}
	if rest != "Mailbox" {
		m := mailboxKey.FindStringSubmatch(rest)
		if m == nil {
			return unimplemented(r, "path "+r.URL.Path)
		}
		found := lookup(who.tenant, m[1], keep)
		if len(found) == 0 {
			return refuse(r, notFound(m[1]))
		}
		body.Value = append(body.Value, wire(found[0].minimal(who.tenant), q.fields))
		return encode(body)
	}
	sum := digest(nil, who.tenant.ID, values.Get("$filter"), values.Get("$top"), r.Header.Get("X-AnchorMailbox"), r.Header.Get("connection-id"))
	at, failed := openPage(q.skip, sum, s.world.Clock)
	if failed != nil {
		return refuse(r, failed)
	}
	seen, last := at.seen, ""
	for m := range recipientsAfter(who.tenant, at.after) {
		if !keep(m) {
			continue
		}
		if seen >= limit {
			break
		}
		if len(body.Value) == size {
			link := nextLink(r, &invocation{now: s.world.Clock}, q, last, seen, sum)
			for _, key := range []string{"$filter", "$top"} {
				if values.Has(key) {
					link += "&" + url.QueryEscape(key) + "=" + url.QueryEscape(values.Get(key))
				}
			}
			body.NextLink = link
			break
		}
		body.Value = append(body.Value, wire(m.minimal(who.tenant), q.fields))
		seen, last = seen+1, m.key
	}
	return encode(body)
}
