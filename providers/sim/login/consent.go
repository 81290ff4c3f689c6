package login

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// adminConsent plays the page on which an administrator accepts: it makes the service principal and grants everything
// that the application declares, then sends the browser back (R66). There is no page to refuse on.
func (s *server) adminConsent(w http.ResponseWriter, r *http.Request) {
	s.world.Lock()
	defer s.world.Unlock()
	q := r.URL.Query()
	client, redirect, state := strings.ToLower(q.Get("client_id")), q.Get("redirect_uri"), q.Get("state")
	world.Annotate(r.Context(), func(c *world.Call) { c.Operation, c.Changing = "adminconsent", true })
	t := s.world.Tenant(r.PathValue("tenant"))
	if t == nil {
		s.refuse(w, r, problem{http.StatusBadRequest, "invalid_request", 90002, unknownTenant(r.PathValue("tenant"))})
		return
	}
	world.Annotate(r.Context(), func(c *world.Call) { c.Tenant = t.ID })
	home, app := s.world.HomeOf(client)
	if app == nil || home != t && app.SignInAudience == "AzureADMyOrg" {
		s.refuse(w, r, problem{http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '" + client + "' was not found in the directory."})
		return
	}
	// A registered address may be asked for with further path segments.
	if !slices.ContainsFunc(app.RedirectURIs, func(u string) bool {
		return redirect == u || strings.HasPrefix(redirect, strings.TrimSuffix(u, "/")+"/")
	}) {
		s.refuse(w, r, problem{http.StatusBadRequest, "invalid_request", 50011, "The redirect URI '" + redirect + "' specified in the request does not match the redirect URIs configured for the application."})
		return
	}
	s.world.Consent(t, app)
	u, err := url.Parse(redirect)
	if err != nil {
		s.refuse(w, r, problem{http.StatusBadRequest, "invalid_request", 50011, "The redirect URI is not valid."})
		return
	}
	back := u.Query()
	back.Set("tenant", t.ID)
	back.Set("state", state)
	back.Set("admin_consent", "True")
	u.RawQuery = back.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}
