package essentials

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// New returns the handler of the API over w: /api/v1/…, with or without a trailing slash, with or without a leading
// stack segment (/us1 … /us5, /eu1, /au1), and the control paths of Control under /_sim/. The stack that the caller is
// on is the segment, else the first label of a Host under proofpointessentials.com, else any: a white-label host serves
// them all. Safe for concurrent use.
func New(w *world.World) http.Handler {
	control := Control(w)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/_sim/") {
			control.ServeHTTP(rw, r)
			return
		}
		if c := r.Header.Get("X-Correlator"); c != "" {
			rw.Header().Set("X-Correlator", c) // the vendor echoes it
		}
		serve(w, rw, r)
	})
}

// stacks are the vendor's published stacks; au1 is named by two clients only.
var stacks = []string{"us1", "us2", "us3", "us4", "us5", "eu1", "au1"}

// request is one call while it is served: the world is locked.
type request struct {
	w      *world.World
	http   *http.Request
	op     *operation
	params map[string]string
	stack  string // "" means any
	body   []byte
	caller *world.User
	home   *world.Organization // the caller's organization
	org    *world.Organization // the organization addressed by {d}; nil for operations without it
}

// answer is a successful result; a nil body sends none.
type answer struct {
	status int
	body   any
}

var noContent = answer{status: http.StatusNoContent}

func serve(w *world.World, rw http.ResponseWriter, r *http.Request) {
	segments, stack, ok := splitPath(r)
	if !ok {
		unimplemented(rw, r, "no such path: the Interface API lives under /api/v1")
		return
	}
	op, params, allowed := match(r.Method, segments)
	if op == nil {
		if len(allowed) > 0 {
			world.Annotate(r.Context(), func(c *world.Call) { c.Changing, c.Unimplemented = r.Method != http.MethodGet, true })
			rw.Header().Set("Allow", strings.Join(allowed, ", "))
			writeError(rw, fail(http.StatusMethodNotAllowed, "", "the API has no %s here; it has %s", r.Method, strings.Join(allowed, ", ")))
			return
		}
		unimplemented(rw, r, "no operation of the Interface API v1 has this path")
		return
	}
	rq := &request{w: w, http: r, op: op, params: params, stack: stack}
	changing := op.method != http.MethodGet
	world.Annotate(r.Context(), func(c *world.Call) {
		c.Operation, c.Changing = op.method+" "+op.path, changing
		c.Detail = strings.ToLower(params["user"])
	})
	// The body is read before the lock is taken, so that a slow client stops nobody.
	body, err := readBody(rw, r)
	if err == nil {
		rq.body = body
		err = rq.lockAndRun(rw, changing)
	}
	if err != nil {
		writeError(rw, err)
	}
}

// lockAndRun holds the lock until the answer is encoded, since the answer refers to the world's own slices. The answer is
// written after the lock is given back.
func (rq *request) lockAndRun(rw http.ResponseWriter, changing bool) error {
	status, encoded, err := rq.locked(changing)
	if err != nil {
		return err
	}
	if encoded == nil {
		rw.WriteHeader(status)
		return nil
	}
	write(rw, status, encoded)
	return nil
}

func (rq *request) locked(changing bool) (int, []byte, error) {
	if changing {
		rq.w.Lock()
		defer rq.w.Unlock()
	} else {
		rq.w.RLock()
		defer rq.w.RUnlock()
	}
	if err := rq.authorize(); err != nil {
		return 0, nil, err
	}
	a, err := rq.op.run(rq)
	if err != nil {
		return 0, nil, err
	}
	if a.body == nil {
		return a.status, nil, nil
	}
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(a.body); err != nil {
		return 0, nil, fail(http.StatusInternalServerError, "", "encoding the answer: %v", err)
	}
	return a.status, b.Bytes(), nil
}

// authorize finds the caller by X-User and X-Password, the account's local password, and the organization that the path
// names; it answers 401, 403 or 404. Multi-factor login is a matter of the console (inferred: nothing public says that
// it concerns the API).
func (rq *request) authorize() error {
	if d, ok := rq.params["d"]; ok {
		rq.org = rq.w.Organization(d)
		if rq.org != nil && rq.stack != "" && rq.org.Stack != rq.stack {
			rq.org = nil // inferred: another stack simply does not know the domain
		}
		if rq.org != nil {
			world.Annotate(rq.http.Context(), func(c *world.Call) { c.Tenant = rq.org.PrimaryDomain })
		}
	}
	user := strings.ToLower(strings.TrimSpace(rq.http.Header.Get("X-User")))
	password := rq.http.Header.Get("X-Password")
	_, domain, ok := addressOf(user)
	if !ok || password == "" {
		return fail(http.StatusUnauthorized, user, "invalid credentials: X-User and X-Password are required")
	}
	home := rq.w.Organization(domain)
	if home == nil || rq.stack != "" && home.Stack != rq.stack {
		return fail(http.StatusUnauthorized, user, "invalid credentials")
	}
	u := home.User(user)
	if u == nil || !u.IsActive || u.Password == "" ||
		subtle.ConstantTimeCompare([]byte(u.Password), []byte(password)) != 1 {
		return fail(http.StatusUnauthorized, user, "invalid credentials")
	}
	rq.caller, rq.home = u, home
	if !isAdmin(u.Type) {
		return fail(http.StatusForbidden, user, "not authorized: %s is no administrator", u.Type)
	}
	if u.ReadOnly && rq.op.method != http.MethodGet {
		return fail(http.StatusForbidden, user, "not authorized: a read-only administrator cannot write")
	}
	if _, named := rq.params["d"]; !named {
		return nil
	}
	if rq.org == nil {
		return notFound("organization", rq.params["d"])
	}
	if !rq.reaches(rq.org) {
		return fail(http.StatusForbidden, rq.params["d"], "not authorized for this organization")
	}
	return nil
}

// reaches tells whether org is the caller's organization or below it. An organization admin has no business below.
func (rq *request) reaches(org *world.Organization) bool {
	// A hierarchy is four deep; the bound keeps a hand-written world with a loop from hanging the simulator.
	for range 16 {
		if org == nil {
			return false
		}
		if org == rq.home {
			return true
		}
		if !isPartnerAdmin(rq.caller.Type) {
			return false
		}
		org = rq.w.OrganizationByEID(org.Parent)
	}
	return false
}

func isPartnerAdmin(userType string) bool {
	return userType == "oem_partner_admin" || userType == "strategic_partner_admin" || userType == "channel_admin"
}

func isAdmin(userType string) bool {
	return isPartnerAdmin(userType) || userType == "organization_admin"
}

// splitPath returns the unescaped segments after /api/v1 and the stack.
func splitPath(r *http.Request) (segments []string, stack string, ok bool) {
	host := strings.ToLower(r.Host)
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if first, rest, found := strings.Cut(host, "."); found && rest == "proofpointessentials.com" && slices.Contains(stacks, first) {
		stack = first
	}
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	if len(parts) > 0 && slices.Contains(stacks, parts[0]) {
		stack, parts = parts[0], parts[1:]
	}
	if len(parts) < 3 || parts[0] != "api" || parts[1] != "v1" {
		return nil, "", false
	}
	for _, p := range parts[2:] {
		s, err := url.PathUnescape(p)
		if err != nil || s == "" {
			return nil, "", false
		}
		segments = append(segments, s)
	}
	return segments, stack, true
}

// readBody reads the body of a call that may have one. A body that is not declared JSON is 415 (inferred: clients always
// declare it).
func readBody(rw http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Method == http.MethodGet {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, fail(http.StatusRequestEntityTooLarge, "", "the body is larger than %d bytes", maxBody)
		}
		return nil, fail(http.StatusBadRequest, "", "the body could not be read: %v", err)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, nil
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, fail(http.StatusUnsupportedMediaType, "", "Content-Type must be application/json, got %q", r.Header.Get("Content-Type"))
	}
	return body, nil
}

func writeError(rw http.ResponseWriter, err error) {
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{Status: http.StatusInternalServerError, Message: err.Error()}
	}
	encoded, err := json.Marshal(errorBody{Errors: []*failure{f}})
	if err != nil { // three plain fields always encode
		encoded = []byte(`{"errors":[]}`)
	}
	write(rw, f.Status, encoded)
}

func write(rw http.ResponseWriter, status int, encoded []byte) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	// A client that went away is the transport's business.
	_, _ = rw.Write(encoded)
}

// unimplemented answers what the simulator does not know: loud in the answer, loud in the journal.
func unimplemented(rw http.ResponseWriter, r *http.Request, why string) {
	world.Annotate(r.Context(), func(c *world.Call) { c.Changing, c.Unimplemented = r.Method != http.MethodGet, true })
	writeError(rw, fail(http.StatusNotImplemented, r.URL.Path, "not implemented by the simulator: %s %s: %s", r.Method, r.URL.Path, why))
}
