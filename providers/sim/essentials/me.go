package essentials

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

type me struct {
	UserID              int    `json:"user_id"`
	FirstName           string `json:"firstname"`
	Surname             string `json:"surname"`
	PrimaryEmail        string `json:"primary_email"`
	Type                string `json:"type"`
	IsAdmin             bool   `json:"is_admin"`
	IsPartnerAdmin      bool   `json:"is_partner_admin"`
	EntityID            int    `json:"entity_id"`
	EntityPrimaryDomain string `json:"entity_primary_domain"`
	EntityType          string `json:"entity_type"`
	ReadOnlyUser        bool   `json:"read_only_user"`
}

func getMe(rq *request) (answer, error) {
	u, o := rq.caller, rq.home
	return answer{http.StatusOK, me{
		UserID: u.UID, FirstName: u.FirstName, Surname: u.Surname, PrimaryEmail: u.PrimaryEmail, Type: u.Type,
		IsAdmin: isAdmin(u.Type), IsPartnerAdmin: isPartnerAdmin(u.Type),
		EntityID: o.EID, EntityPrimaryDomain: o.PrimaryDomain, EntityType: o.Type, ReadOnlyUser: u.ReadOnly,
	}}, nil
}

// getEndpoints works on any stack and for any domain: that is how a client finds the stack in the first place.
func getEndpoints(rq *request) (answer, error) {
	domain := strings.ToLower(rq.params["domain"])
	world.Annotate(rq.http.Context(), func(c *world.Call) { c.Detail = domain })
	endpoints := []string{}
	for _, stack := range stacks {
		if onStack(rq.w, domain, stack) {
			endpoints = append(endpoints, "https://"+stack+".proofpointessentials.com")
		}
	}
	if rq.w.Switches.BareLists {
		return answer{http.StatusOK, endpoints}, nil
	}
	return answer{http.StatusOK, map[string]any{"endpoints": endpoints}}, nil
}

// onStack tells whether an organization of the stack has the domain. The world's index knows one owner of a domain.
func onStack(w *world.World, domain, stack string) bool {
	o := w.Organization(domain)
	return o != nil && o.Stack == stack
}

// createToken hands out an impersonation token. Both ends have to allow it: odin_settings of the caller and of the user.
func createToken(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	var address string
	f.str("user_to_impersonate", &address)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	if address == "" {
		return answer{}, invalid("", "user_to_impersonate is required")
	}
	u := rq.org.User(address)
	if u == nil {
		return answer{}, invalid(address, "user_to_impersonate is no user of this organization")
	}
	if !rq.caller.CanImpersonate || !u.IsImitable {
		return answer{}, fail(http.StatusForbidden, address, "not authorized: impersonation is not enabled for both users")
	}
	token := base64.StdEncoding.EncodeToString([]byte(rq.w.NewGUID()))
	return answer{http.StatusCreated, map[string]any{"auth_token": token}}, nil
}
