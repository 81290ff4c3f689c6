package essentials

import (
	"net/http"
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
