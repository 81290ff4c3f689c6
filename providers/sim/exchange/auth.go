package exchange

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// manageAsApp is the one application permission that opens InvokeCommand.
const manageAsApp = "Exchange.ManageAsApp"

// Directory roles by template id, as the wids claim lists them.
const (
	exchangeAdministrator  = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	recipientAdministrator = "31392ffb-586c-42d1-9346-e59415a2cc4e" // inferred id
	globalAdministrator    = "62e90394-69f5-4237-9190-012177145e10"
	globalReader           = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	securityAdministrator  = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	securityReader         = "5d6b6bb7-de71-4623-b4af-96380a352509" // inferred id
)

// area groups the cmdlets by the least roles that open them.
type area int

const (
	configuration area = iota // connectors, accepted domains, organisation configuration
	rules                     // transport rules
	hygiene                   // connection filter
	recipients
)

// caller is an authenticated application in one tenant.
type caller struct {
	tenant *world.Tenant
	app    string
	wids   []string
}

// authenticate checks the bearer token as the service does. Refused are, with 401: a token that is missing, damaged,
// expired, for another resource or another tenant, or without the application permission. A token with the permission
// and without a directory role passes here and meets a 403 at the cmdlet. The world is locked.
func (s *server) authenticate(r *http.Request, tenant string) (*caller, *reply) {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return nil, unauthorized("")
	}
	claims, err := s.world.VerifyToken(strings.TrimSpace(bearer))
	if err != nil || strings.TrimSuffix(claims.Audience, "/") != resource {
		return nil, unauthorized("invalid_token")
	}
	t := s.world.Tenant(tenant)
	if t == nil || !strings.EqualFold(t.ID, claims.Tenant) || !slices.Contains(claims.Roles, manageAsApp) {
		return nil, unauthorized("invalid_token")
	}
	return &caller{tenant: t, app: claims.AppID, wids: claims.Wids}, nil
}

// may tells whether one of the caller's directory roles covers the cmdlet. Least roles per object are
// Microsoft365DSC's, what else the roles cover is inferred.
func (c *caller) may(cmd *cmdlet) bool {
	for _, wid := range c.wids {
		switch strings.ToLower(wid) {
		case exchangeAdministrator, globalAdministrator:
			return true
		case globalReader:
			if !cmd.changes {
				return true
			}
		case securityReader:
			if !cmd.changes && cmd.area != recipients {
				return true
			}
		case securityAdministrator:
			if cmd.area == hygiene || !cmd.changes && cmd.area != recipients {
				return true
			}
		case recipientAdministrator:
			if cmd.area == recipients {
				return true
			}
		}
	}
	return false
}

func unauthorized(reason string) *reply {
	challenge := `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", trusted_issuers="00000001-0000-0000-c000-000000000000@*", token_types="app_asserted_user_v1 service_asserted_app_v1", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"`
	if reason != "" {
		challenge += `, error="` + reason + `"`
	}
	return &reply{status: http.StatusUnauthorized, header: http.Header{"Www-Authenticate": {challenge}}}
}

// nulls is the service's 403: it declares gzip and sends a run of NUL bytes, so that clients which inflate by
// themselves lose the status.
func nulls() *reply {
	return &reply{
		status: http.StatusForbidden,
		header: http.Header{"Content-Encoding": {"gzip"}, "Content-Type": {"text/html"}},
		body:   bytes.Repeat([]byte{0}, 1245),
	}
}
