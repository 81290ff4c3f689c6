package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

const (
	// resource is the audience of a token for this interface; a token for Graph is refused.
	resource = "https://outlook.office365.com"
	// vendorHost is the worldwide host; regional ones are its subdomains.
	vendorHost = "outlook.office365.com"
	// maxBody is the largest request body read, in bytes (inferred).
	maxBody = 4 << 20
)

// New returns the handler of the vendor's paths (/adminapi/…) over w. It is safe for concurrent use; each request
// holds w's lock, for reading or for changing, while it is worked on.
func New(w *world.World) http.Handler {
	return &server{world: w, cmdlets: cmdlets(), past: map[string][]moment{}}
}

type server struct {
	world   *world.World
	cmdlets map[string]*cmdlet // by lower-case name
	past    map[string][]moment
	served  atomic.Int64
}

// moment is what a tenant's Exchange looked like before the change made at a time, for reads that lag behind writes.
type moment struct {
	at     time.Time
	before world.Exchange
}

// reply is one answer, made while the world is locked and written after.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.answer(rw, r).write(rw)
}

func (a *reply) write(rw http.ResponseWriter) {
	for key, values := range a.header {
		rw.Header()[key] = values
	}
	rw.WriteHeader(a.status)
	// The client may have gone; there is nobody left to tell.
	_, _ = rw.Write(a.body)
}

func (s *server) answer(rw http.ResponseWriter, r *http.Request) *reply {
	version, tenant, rest, ok := split(r.URL.Path)
	if !ok {
		return unimplemented(r, "path "+r.URL.Path)
	}
	s.world.RLock()
	region, clock := s.world.Switches.ExchangeRegion, s.world.Clock
	s.world.RUnlock()
	if location := redirect(r, region); location != "" {
		return &reply{status: http.StatusFound, header: http.Header{"Location": {location}}}
	}
	var a *reply
	switch {
	case rest == "InvokeCommand" && version != "beta" && version != "v2.0":
		a = plain(http.StatusMethodNotAllowed, "The InvokeCommand endpoint is not available in "+version+".")
	case rest == "InvokeCommand" && version == "beta":
		a = s.invoke(rw, r, tenant)
	case rest == "$batch" && version == "beta":
		a = s.batch(rw, r, tenant)
	case (version == "beta" || version == "v1.0") && (rest == "Mailbox" || strings.HasPrefix(rest, "Mailbox(")):
		a = s.mailboxes(r, tenant, rest)
	default:
		return unimplemented(r, r.Method+" "+r.URL.Path)
	}
	s.headers(a, r, clock)
	return a
}

// split takes /adminapi/{version}/{tenant}/{rest} apart.
func split(path string) (version, tenant, rest string, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(path, "/"), "/", 4)
	if len(parts) < 4 || parts[0] != "adminapi" || parts[2] == "" || parts[3] == "" {
		return "", "", "", false
	}
	return parts[1], parts[2], parts[3], true
}

// redirect is the regional address of a request that came to the front door while the switch names a region, or "".
// A request that is already there, or that came back with the region as query (an address without names to redirect
// to, such as a loopback one), stays. A port in the switch ("nam12:446") appears in the address: the service has been
// seen to leak its inner port 446.
func redirect(r *http.Request, region string) string {
	label, port, _ := strings.Cut(region, ":")
	if label == "" || r.URL.Query().Get("region") == label {
		return ""
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	to := *r.URL
	to.Scheme, to.Host = "https", r.Host
	switch {
	case strings.EqualFold(host, vendorHost), strings.EqualFold(host, "outlook.office.com"):
		to.Host = label + "." + vendorHost
		if port != "" {
			to.Host += ":" + port
		}
	case strings.HasSuffix(strings.ToLower(host), "."+vendorHost):
		return ""
	default:
		query := to.Query()
		query.Set("region", label)
		to.RawQuery = query.Encode()
	}
	return to.String()
}

// invoke runs the one cmdlet of a request.
func (s *server) invoke(rw http.ResponseWriter, r *http.Request, tenant string) *reply {
	if r.Method != http.MethodPost {
		return plain(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+r.Method+"'.")
	}
	if format := r.Header.Get("X-ResponseFormat"); format != "" && !strings.EqualFold(format, "json") {
		return unimplemented(r, "X-ResponseFormat "+format)
	}
	query, err := parseQuery(r.URL)
	if err != nil {
		return unimplemented(r, err.Error())
	}
	body, failed := readBody(rw, r)
	if failed != nil {
		return failed
	}
	in, bad := decode(body)
	c := s.find(in)
	changing := c != nil && c.changes && !in.whatIf()
	annotate(r, func(call *world.Call) {
		call.Tenant, call.Operation, call.Changing = tenant, in.CmdletName, changing
	})
	unlock := s.lock(changing)
	defer unlock()
	who, refused := s.authenticate(r, tenant)
	if refused != nil {
		return refused
	}
	annotate(r, func(call *world.Call) { call.Tenant = who.tenant.ID })
	if bad != nil {
		return refuse(r, bad)
	}
	sum := digest(body, who.tenant.ID, r.Header.Get("X-AnchorMailbox"), r.Header.Get("connection-id"))
	return s.run(r, who, in, c, query, pageSize(r.Header.Values("Prefer")), sum)
}

// run carries out one decoded cmdlet; the world is locked and the caller known.
func (s *server) run(r *http.Request, who *caller, in input, c *cmdlet, query query, size int, sum string) *reply {
	if c == nil || !who.may(c) {
		// An unknown cmdlet and one outside the caller's roles cannot be told apart.
		annotate(r, func(call *world.Call) { call.Detail = "unknown cmdlet, or not in the caller's roles" })
		return nulls()
	}
	args, bad := bind(c, in.parameters)
	if bad != nil {
		return refuse(r, bad)
	}
	page, bad := openPage(query.skip, sum, s.world.Clock)
	if bad != nil {
		return refuse(r, bad)
	}
	call := &invocation{
		server: s, cmdlet: c, tenant: who.tenant, args: args, page: page,
		caller: who.app, now: s.world.Clock, switches: s.world.Switches,
	}
	call.live = &who.tenant.Exchange
	call.view = s.seen(who.tenant)
	if call.flag("WhatIf") && c.changes {
		return encode(answer{
			Context:      contextOf(r, who.tenant.ID),
			Confirmation: []string{"What if: " + c.name + " on " + call.text("Identity") + call.text("Name") + "."},
			Value:        []map[string]any{},
		})
	}
	if c.changes {
		s.remember(who.tenant)
	}
	out, err := c.run(call)
	if err != nil {
		return refuse(r, err)
	}
	return encode(collect(r, call, out, query, size, sum))
}

func refuse(r *http.Request, f *failure) *reply {
	if f.unimplemented {
		return unimplemented(r, f.message)
	}
	return f.reply()
}

func (s *server) find(in input) *cmdlet { return s.cmdlets[strings.ToLower(in.CmdletName)] }

func (s *server) lock(changing bool) func() {
	if changing {
		s.world.Lock()
		return s.world.Unlock
	}
	s.world.RLock()
	return s.world.RUnlock
}

// remember keeps the tenant's Exchange as it is before a change. Objects, slices and maps are replaced by changes,
// never written into, so that a shallow copy stays what it was.
func (s *server) remember(t *world.Tenant) {
	lag := time.Duration(s.world.Switches.ExchangeReadLag) * time.Second
	if lag <= 0 {
		return
	}
	kept := []moment{}
	for _, m := range s.past[t.ID] {
		if m.at.Add(lag).After(s.world.Clock) {
			kept = append(kept, m)
		}
	}
	s.past[t.ID] = append(kept, moment{at: s.world.Clock, before: t.Exchange})
}

// seen is the tenant's Exchange as a read sees it: writes become visible after the switch's lag.
func (s *server) seen(t *world.Tenant) *world.Exchange {
	lag := time.Duration(s.world.Switches.ExchangeReadLag) * time.Second
	for _, m := range s.past[t.ID] {
		if m.at.Add(lag).After(s.world.Clock) {
			return &m.before
		}
	}
	return &t.Exchange
}

// headers adds what every answer of the service carries.
func (s *server) headers(a *reply, r *http.Request, now time.Time) {
	if a.header == nil {
		a.header = http.Header{}
	}
	const limit = 30000 // seen in a live recording; what it counts is unknown
	n := s.served.Add(1)
	set := func(key, value string) { a.header[http.CanonicalHeaderKey(key)] = []string{value} }
	set("Request-Id", guid("request", r.URL.Path, fmt.Sprint(n)))
	if id := r.Header.Get("client-request-id"); id != "" {
		set("Client-Request-Id", id)
	}
	set("OData-Version", "4.0")
	set("Date", now.UTC().Format(http.TimeFormat))
	set("Rate-Limit-Limit", fmt.Sprint(limit))
	set("Rate-Limit-Remaining", fmt.Sprint(limit-n%limit))
	set("Rate-Limit-Reset", now.UTC().Add(5*time.Minute).Format(utcTime))
	set("X-ConcurrencyCount", "1")
	if size := requestedSize(r.Header.Values("Prefer")); size > 0 {
		set("Preference-Applied", fmt.Sprintf("odata.maxpagesize=%d", size))
	}
}

func readBody(rw http.ResponseWriter, r *http.Request) ([]byte, *reply) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, plain(http.StatusRequestEntityTooLarge, "The request is too large.")
	case err != nil:
		return nil, plain(http.StatusBadRequest, "The request body could not be read.")
	}
	return body, nil
}

// query is what the service understands after the question mark.
type query struct {
	skip   string   // $skiptoken
	fields []string // $select; nil: all
}

func parseQuery(u *url.URL) (query, error) {
	var q query
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return q, fmt.Errorf("query %q: %w", u.RawQuery, err)
	}
	for key, list := range values {
		switch strings.ToLower(key) {
		case "$skiptoken":
			q.skip = list[0]
		case "$select":
			for _, field := range strings.Split(list[0], ",") {
				if field = strings.TrimSpace(field); field != "" && field != "*" {
					q.fields = append(q.fields, field)
				}
			}
		case "region":
		default:
			return q, fmt.Errorf("query option %q", key)
		}
	}
	return q, nil
}

func annotate(r *http.Request, f func(*world.Call)) { world.Annotate(r.Context(), f) }

// unimplemented refuses what the service may have but the simulator does not.
func unimplemented(r *http.Request, what string) *reply {
	annotate(r, func(call *world.Call) { call.Unimplemented, call.Detail = true, what })
	body, err := json.Marshal(map[string]any{"error": map[string]any{
		"code":    "NotImplemented",
		"message": "The simulator of Exchange Online does not implement " + what + ".",
	}})
	if err != nil {
		return plain(http.StatusNotImplemented, "not implemented")
	}
	return &reply{status: http.StatusNotImplemented, header: jsonHeader(), body: body}
}

func plain(status int, text string) *reply {
	return &reply{status: status, header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, body: []byte(text)}
}
