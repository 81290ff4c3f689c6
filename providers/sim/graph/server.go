package graph

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

const (
	audience  = "https://graph.microsoft.com"
	loginHost = "login.microsoftonline.com"
	// maxBody is the documented limit of one request to Graph, 4 MB.
	maxBody     = 4 << 20
	contentType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)

// New returns the handler of graph.microsoft.com over w. It is safe for concurrent use and locks w itself, for reading or
// changing, once per request (once per item in a batch).
func New(w *world.World) http.Handler { return newServer(w, time.Now) }

// newServer takes the clock of the throttling bucket: real time, because clients wait in real time for a Retry-After.
func newServer(w *world.World, now func() time.Time) *server {
	s := &server{w: w, lag: newReplica(), bucket: newBucket(now)}
	s.routes = buildRoutes(slices.Concat(organizationRoutes(), userRoutes(), groupRoutes(), memberOfRoutes(), contactRoutes(), domainRoutes(),
		applicationRoutes(), principalRoutes(), grantRoutes(), roleRoutes(), deletedRoutes(), skuRoutes()))
	return s
}

type server struct {
	w      *world.World
	routes *node
	lag    *replica
	bucket *bucket
	serial atomic.Uint64
}

// reply is one answer before it is written: the form that a batch embeds.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// incoming is one request before it is authorized: from the wire, or an item of a batch.
type incoming struct {
	ctx    context.Context
	method string
	// path is still escaped and starts with a slash; it includes the version.
	path   string
	query  string
	header http.Header
	body   []byte
	// base is scheme and host of the request, "https://graph.microsoft.com": every link in an answer starts with it.
	base string
}

// request is what a handler works on. The lock is held while it runs.
type request struct {
	*incoming
	s      *server
	w      *world.World
	t      *world.Tenant
	claims world.Claims
	route  *route
	params []string // the values of the template's placeholders, unescaped
	q      query
	// buried tells when the objects of an answer about deleted items were deleted.
	buried map[any]time.Time
}

func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	in := &incoming{ctx: r.Context(), method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, header: r.Header,
		base: baseOf(r)}
	body, err := readBody(r)
	var out *reply
	requestID := s.requestID()
	if err != nil {
		s.w.RLock()
		now := s.w.Clock
		s.w.RUnlock()
		out = asFault(err).reply(now, requestID, clientID(r.Header))
	} else {
		in.body = body
		out = s.answer(in, requestID)
	}
	h := rw.Header()
	for k, v := range out.header {
		h[k] = v
	}
	if len(out.body) > 0 {
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", contentType)
		}
		h.Set("Content-Length", strconv.Itoa(len(out.body)))
	}
	h.Set("Request-Id", requestID)
	h.Set("Client-Request-Id", clientID(r.Header))
	h.Set("Odata-Version", "4.0")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Ms-Ags-Diagnostic", `{"ServerInfo":{"DataCenter":"Simulator","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"WEIRSIM"}}`)
	rw.WriteHeader(out.status)
	// The client may be gone; there is nobody to tell.
	_, _ = rw.Write(out.body)
}

// requestID numbers the requests of this server: unique, and equal in repeated runs.
func (s *server) requestID() string {
	return fmt.Sprintf("5e1f0000-0000-4000-8000-%012x", s.serial.Add(1))
}

func clientID(h http.Header) string { return h.Get("client-request-id") }

func baseOf(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// readBody reads and, when the header says so, unzips the body. The SDK compresses by default and falls back to plain
// on 415; a body whose Content-Encoding lies is refused as unreadable.
func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, badRequest("The request body could not be read: %v", err)
	}
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err == nil {
			raw, err = io.ReadAll(io.LimitReader(z, maxBody+1))
		}
		if err != nil {
			return nil, &fault{status: http.StatusBadRequest, code: "BadRequest",
				message: "Unable to read the request payload: Content-Encoding says gzip, the body is not."}
		}
	default:
		return nil, &fault{status: http.StatusUnsupportedMediaType, code: "BadRequest",
			message: fmt.Sprintf("The content encoding '%s' is not supported.", r.Header.Get("Content-Encoding"))}
	}
	if len(raw) > maxBody {
		return nil, &fault{status: http.StatusRequestEntityTooLarge, code: "BadRequest", message: "The request body exceeds 4 MB."}
	}
	return raw, nil
}

func asFault(err error) *fault {
	var f *fault
	if errors.As(err, &f) {
		return f
	}
	return &fault{status: http.StatusInternalServerError, code: "InternalServerError", message: err.Error()}
}

// answer serves one request or one item of a batch. It takes the lock.
func (s *server) answer(in *incoming, requestID string) *reply {
	segments, version, err := splitPath(in.path)
	if err != nil {
		return s.refuse(in, asFault(err), requestID)
	}
	if version == "v1.0" && len(segments) == 1 && segments[0] == "$batch" && in.method == http.MethodPost {
		return s.batch(in, requestID)
	}
	rt, params := s.routes.find(in.method, segments)
	changing := rt != nil && rt.changing
	if changing {
		s.w.Lock()
		defer s.w.Unlock()
	} else {
		s.w.RLock()
		defer s.w.RUnlock()
	}
	world.Annotate(in.ctx, func(c *world.Call) {
		c.Changing, c.Operation = changing, in.method+" "+strings.TrimPrefix(in.path, "/"+version)
		if rt != nil {
			c.Operation = in.method + " " + rt.template
		}
	})
	claims, t, f := s.authenticate(in.header.Get("Authorization"))
	if f != nil {
		return s.refuseLocked(in, f, requestID)
	}
	world.Annotate(in.ctx, func(c *world.Call) { c.Tenant = t.ID })
	switch {
	case version != "v1.0":
		return s.refuseLocked(in, unimplemented("version %q of Microsoft Graph; only v1.0 is served", version), requestID)
	case rt == nil && !slices.Contains([]string{"GET", "POST", "PATCH", "DELETE"}, in.method):
		return s.refuseLocked(in, &fault{status: http.StatusMethodNotAllowed, code: "Request_BadRequest",
			message: fmt.Sprintf("Specified HTTP method '%s' is not allowed for the request target.", in.method)}, requestID)
	case rt == nil:
		return s.refuseLocked(in, unimplemented("%s %s", in.method, in.path), requestID)
	}
	x := &request{incoming: in, s: s, w: s.w, t: t, claims: claims, route: rt, params: params}
	x.q, err = parseQuery(in, rt)
	if err != nil {
		return s.refuseLocked(in, asFault(err), requestID)
	}
	units := x.units()
	if f := s.bucket.take(x, units); f != nil {
		return s.refuseLocked(in, f, requestID)
	}
	out, err := x.run()
	if err != nil {
		out = s.refuseLocked(in, asFault(err), requestID)
	}
	if out.header == nil {
		out.header = http.Header{}
	}
	out.header.Set("X-Ms-Resource-Unit", strconv.Itoa(units))
	return out
}

func (x *request) run() (*reply, error) {
	if !x.route.need.grants(x.claims.Roles) {
		return nil, denied()
	}
	return x.route.run(x)
}

func (s *server) refuse(in *incoming, f *fault, requestID string) *reply {
	s.w.RLock()
	defer s.w.RUnlock()
	return s.refuseLocked(in, f, requestID)
}

func (s *server) refuseLocked(in *incoming, f *fault, requestID string) *reply {
	if f.missing {
		world.Annotate(in.ctx, func(c *world.Call) { c.Unimplemented, c.Detail = true, f.message })
	}
	return f.reply(s.w.Clock, requestID, clientID(in.header))
}

// authenticate checks the bearer token and finds its tenant.
func (s *server) authenticate(authorization string) (world.Claims, *world.Tenant, *fault) {
	claims, err := s.w.VerifyToken(authorization)
	switch {
	case errors.Is(err, world.ErrTokenMissing):
		return claims, nil, invalidToken("Access token is empty.")
	case errors.Is(err, world.ErrTokenExpired):
		return claims, nil, invalidToken("Lifetime validation failed, the token is expired.")
	case err != nil:
		return claims, nil, invalidToken("CompactToken parsing failed: " + err.Error())
	case claims.Audience != audience && claims.Audience != world.GraphAppID:
		return claims, nil, invalidToken("Access token validation failure. Invalid audience.")
	}
	t := s.w.Tenant(claims.Tenant)
	if t == nil {
		return claims, nil, invalidToken("The tenant of the token is unknown: " + claims.Tenant)
	}
	return claims, t, nil
}

// splitPath cuts an escaped path into unescaped segments and the version. A key in parentheses becomes a segment of its
// own with its parentheses, unless it is plain: applications(appId='x') → applications, (appId='x'); users('x') → users,
// x; delta() → delta. A bound function's namespace is dropped.
func splitPath(path string) (segments []string, version string, err error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, p := range parts {
		p, err := url.PathUnescape(p)
		if err != nil {
			return nil, "", badRequest("Invalid escape sequence in the request URL: %v", err)
		}
		if i == 0 {
			version = p
			continue
		}
		name, key, hasKey := strings.Cut(p, "(")
		if !hasKey || !strings.HasSuffix(key, ")") || name == "" {
			segments = append(segments, p)
			continue
		}
		key = strings.TrimSuffix(key, ")")
		name = strings.TrimPrefix(name, "microsoft.graph.")
		segments = append(segments, name)
		switch quoted, ok := unquote(key); {
		case key == "":
		case ok:
			segments = append(segments, quoted)
		default:
			segments = append(segments, "("+key+")")
		}
	}
	return segments, version, nil
}

// unquote reads an OData string literal: single quotes outside, doubled ones inside.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return "", false
	}
	inner := s[1 : len(s)-1]
	plain := strings.ReplaceAll(inner, "''", "'")
	if strings.Count(inner, "'") != 2*(len(inner)-len(plain)) {
		return "", false
	}
	return plain, true
}

// alternateKey reads a segment "(name='value')".
func alternateKey(segment string) (name, value string, ok bool) {
	if !strings.HasPrefix(segment, "(") || !strings.HasSuffix(segment, ")") {
		return "", "", false
	}
	name, quoted, found := strings.Cut(segment[1:len(segment)-1], "=")
	if !found {
		return "", "", false
	}
	value, ok = unquote(strings.TrimSpace(quoted))
	return strings.TrimSpace(name), value, ok
}
