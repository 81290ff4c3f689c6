package login

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

type server struct{ world *world.World }

// New returns the handler of the login host over w. It locks w itself, for the whole of each request.
func New(w *world.World) http.Handler {
	s := &server{w}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.configuration)
	mux.HandleFunc("GET /{tenant}/.well-known/openid-configuration", s.configuration)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", s.keys)
	mux.HandleFunc("GET /{tenant}/discovery/instance", s.instance)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", s.token)
	mux.HandleFunc("GET /{tenant}/adminconsent", s.adminConsent)
	mux.HandleFunc("GET /{tenant}/v2.0/adminconsent", s.adminConsent)
	mux.HandleFunc("/", s.unimplemented)
	return mux
}

func (s *server) unimplemented(w http.ResponseWriter, r *http.Request) {
	world.Annotate(r.Context(), func(c *world.Call) { c.Unimplemented = true })
	reply(w, http.StatusNotImplemented, map[string]string{
		"error": "not_implemented", "error_description": "the simulator does not implement " + r.Method + " " + r.URL.Path + " of the login host",
	})
}

// configuration is the discovery document. Its addresses name the host that was asked, as MSAL requires of the issuer.
func (s *server) configuration(w http.ResponseWriter, r *http.Request) {
	s.world.RLock()
	defer s.world.RUnlock()
	name := r.PathValue("tenant")
	world.Annotate(r.Context(), func(c *world.Call) { c.Operation = "openid-configuration" })
	var id, region string
	var sub any
	switch name {
	case "common", "organizations", "consumers":
		id, region = "{tenantid}", "WW"
	default:
		t := s.world.Tenant(name)
		if t == nil {
			s.refuse(w, r, problem{http.StatusBadRequest, "invalid_tenant", 90002, unknownTenant(name)})
			return
		}
		id = t.ID
		world.Annotate(r.Context(), func(c *world.Call) { c.Tenant = t.ID })
		switch t.RegionSubScope {
		case "":
			region = regionOf(t.Country)
		case "GCC":
			region, sub = "NA", "GCC"
		default: // DODCON is GCC High, DOD is DoD
			region, sub = "USGov", t.RegionSubScope
		}
	}
	instance, graph, oldGraph := "microsoftonline.com", "graph.microsoft.com", "graph.windows.net"
	if region == "USGov" {
		instance, graph, oldGraph = "microsoftonline.us", "graph.microsoft.us", "graph.microsoftazure.us"
		if sub == "DOD" {
			graph = "dod-graph.microsoft.us"
		}
	}
	base := "https://" + r.Host + "/" + id
	reply(w, http.StatusOK, map[string]any{
		"token_endpoint":                        base + "/oauth2/v2.0/token",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic", "self_signed_tls_client_auth"},
		"jwks_uri":                              base + "/discovery/v2.0/keys",
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"response_types_supported":              []string{"code", "id_token", "code id_token", "id_token token"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"issuer":                                base + "/v2.0",
		"authorization_endpoint":                base + "/oauth2/v2.0/authorize",
		"device_authorization_endpoint":         base + "/oauth2/v2.0/devicecode",
		"tenant_region_scope":                   region,
		"tenant_region_sub_scope":               sub,
		"cloud_instance_name":                   instance,
		"cloud_graph_host_name":                 oldGraph,
		"msgraph_host":                          graph,
		"rbac_url":                              "https://pas.windows.net",
	})
}

// regionOf gives the region code of a country; only a few codes are public, so the rest is WW.
func regionOf(country string) string {
	switch country {
	case "US", "CA", "MX":
		return "NA"
	case "DE", "FR", "GB", "IE", "NL", "ES", "IT", "AT", "CH", "SE", "DK", "NO", "FI", "PL", "PT", "BE":
		return "EU"
	}
	return "WW"
}

// keys is empty: the simulator's tokens are opaque to clients, as Microsoft asks clients to treat them.
func (s *server) keys(w http.ResponseWriter, r *http.Request) {
	world.Annotate(r.Context(), func(c *world.Call) { c.Operation = "keys" })
	reply(w, http.StatusOK, map[string]any{"keys": []any{}})
}

// instance answers MSAL's question which hosts belong together: here, the one that was asked.
func (s *server) instance(w http.ResponseWriter, r *http.Request) {
	s.world.RLock()
	defer s.world.RUnlock()
	world.Annotate(r.Context(), func(c *world.Call) { c.Operation = "discovery/instance" })
	u, err := url.Parse(r.URL.Query().Get("authorization_endpoint"))
	if err != nil || u.Host == "" {
		s.refuse(w, r, problem{http.StatusBadRequest, "invalid_instance", 50049, "Unknown or invalid instance."})
		return
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	reply(w, http.StatusOK, map[string]any{
		"tenant_discovery_endpoint": "https://" + u.Host + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"api-version":               "1.1",
		"metadata": []any{map[string]any{
			"preferred_network": u.Host, "preferred_cache": u.Host, "aliases": []string{u.Host},
		}},
	})
}

// problem is one error of the token service.
type problem struct {
	status int
	code   string // the OAuth error
	aadsts int
	text   string
}

func unknownTenant(name string) string {
	return fmt.Sprintf("Tenant '%s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. "+
		"Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.", name)
}

// refuse writes the error body of the token service. The caller holds the lock.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, p problem) {
	trace := r.Header.Get("client-request-id")
	if trace == "" {
		trace = "00000000-0000-0000-0000-000000000000"
	}
	stamp := s.world.Clock.Format("2006-01-02 15:04:05Z")
	world.Annotate(r.Context(), func(c *world.Call) { c.Detail = fmt.Sprintf("AADSTS%d", p.aadsts) })
	reply(w, p.status, map[string]any{
		"error": p.code,
		"error_description": fmt.Sprintf("AADSTS%d: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
			p.aadsts, p.text, trace, trace, stamp),
		"error_codes": []int{p.aadsts}, "timestamp": stamp, "trace_id": trace, "correlation_id": trace,
		"error_uri": fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", p.aadsts),
	})
}

func reply(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store, no-cache")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(body) // the client has gone when this fails
}
