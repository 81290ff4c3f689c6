package sim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/weir-project/weir/providers/sim/essentials"
	"github.com/weir-project/weir/providers/sim/world"
)

// maxBody is how much of a request is read ahead, bytes; the vendors' own limits are lower.
const maxBody = 16 << 20

// classify tells what a request is about before it is served: for fault rules, and for the journal when a fault keeps the
// request from its handler.
func (s *Server) classify(v Vendor, r *http.Request) *target {
	t := &target{vendor: v, method: r.Method, path: r.URL.Path, query: r.URL.Query(), raw: r.URL.RawQuery}
	if q, err := url.QueryUnescape(r.URL.RawQuery); err == nil {
		t.raw = q
	}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	name := ""
	read := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	t.changing = !read
	switch v {
	case Login:
		name, t.changing = segments[0], false
		t.raw = ""
	case Exchange:
		if len(segments) > 2 && segments[0] == "adminapi" {
			name = segments[2]
		}
		t.operation = cmdlet(r)
		verb, _, _ := strings.Cut(strings.ToLower(t.operation), "-")
		t.changing = t.operation != "" && verb != "get" && verb != "validate" && verb != "test"
	case Essentials:
		if len(segments) > 0 && len(segments[0]) == 3 && vendorOf(segments[0]+".proofpointessentials.com") == Essentials {
			segments = segments[1:]
			t.path = "/" + strings.Join(segments, "/")
		}
		if len(segments) > 2 && segments[0] == "api" {
			var params map[string]string
			t.operation, params = operationOf(r.Method, segments[2:])
			name = params["{d}"]
		}
	case Graph:
		t.changing = t.changing && !strings.HasSuffix(r.URL.Path, "/$batch")
	}
	s.world.RLock()
	defer s.world.RUnlock()
	if v == Graph {
		if c, err := s.world.VerifyToken(r.Header.Get("Authorization")); err == nil {
			name = c.Tenant
		}
	}
	t.name(s.world, name)
	return t
}

// name records the customer under every name that a rule may use. The world is locked.
func (t *target) name(w *world.World, name string) {
	if name == "" {
		return
	}
	t.tenant = name
	t.tenants = []string{name}
	if o := w.Organization(name); o != nil && t.vendor == Essentials {
		t.tenant = o.PrimaryDomain
		t.tenants = append(t.tenants, o.PrimaryDomain)
		for _, d := range o.Domains {
			t.tenants = append(t.tenants, d.Name)
		}
	}
	e := w.Tenant(name)
	if e == nil {
		return
	}
	if t.vendor != Essentials {
		t.tenant = e.ID
	}
	t.tenants = append(t.tenants, e.ID)
	for _, d := range e.Domains {
		t.tenants = append(t.tenants, d.Name)
	}
}

var operations = sync.OnceValue(essentials.Operations)

// operationOf names the operation of the Essentials API as its handler does ("POST /orgs/{d}/users"), with what stands in
// the place of each parameter.
func operationOf(method string, segments []string) (string, map[string]string) {
	for _, op := range operations() {
		template := strings.Split(strings.Trim(op.Path, "/"), "/")
		if op.Method != method || len(template) != len(segments) {
			continue
		}
		params, ok := map[string]string{}, true
		for i, s := range template {
			switch {
			case strings.HasPrefix(s, "{"):
				params[s] = segments[i]
			case s != segments[i]:
				ok = false
			}
		}
		if ok {
			return op.Method + " " + op.Path, params
		}
	}
	return "", nil
}

// cmdlet reads the name of the cmdlet out of an InvokeCommand request and puts the body back.
func cmdlet(r *http.Request) string {
	if r.Method != http.MethodPost || r.Body == nil || !strings.HasSuffix(r.URL.Path, "/InvokeCommand") {
		return ""
	}
	original := r.Body
	raw, err := io.ReadAll(io.LimitReader(original, maxBody))
	// What was read is served again, followed by the rest or the error.
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), original), original}
	if err != nil {
		return ""
	}
	var body struct {
		CmdletInput struct{ CmdletName string }
	}
	if json.Unmarshal(raw, &body) != nil {
		return ""
	}
	return body.CmdletInput.CmdletName
}
