package essentials

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

func getMFA(rq *request) (answer, error) { return answer{http.StatusOK, rq.org.MFA}, nil }

func putMFA(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	changed := rq.org.MFA
	f.boolean("is_mfa_enabled", &changed.Enabled)
	f.boolean("mfa_admins_only", &changed.AdminsOnly)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	rq.org.MFA = changed
	return noContent, nil
}

// login is the wire form of the login settings.
type login struct {
	Local      bool     `json:"allow_local_login"`
	ForcedIdP  *string  `json:"idp_for_forced_login"`
	Azure      bool     `json:"allow_azure_login"`
	ForceAzure bool     `json:"force_azure_login"`
	ValidIdPs  []string `json:"idps_valid_for_sso"`
}

func getLogin(rq *request) (answer, error) {
	l := rq.org.Login
	out := login{l.Local, l.ForcedIdP, l.Azure, l.ForceAzure, []string{}}
	for _, p := range rq.org.IdPs {
		if p.IsActive {
			out.ValidIdPs = append(out.ValidIdPs, p.ID)
		}
	}
	return answer{http.StatusOK, out}, nil
}

func putLogin(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	changed := rq.org.Login
	f.boolean("allow_local_login", &changed.Local)
	f.boolean("allow_azure_login", &changed.Azure)
	f.boolean("force_azure_login", &changed.ForceAzure)
	var ignored []string
	f.list("idps_valid_for_sso", &ignored) // read-only; a read-modify-write sends it back
	// null says "no forced provider" here, so it is no omission.
	if raw, sent := f.raw["idp_for_forced_login"]; sent && isNull(raw) {
		f.used["idp_for_forced_login"] = true
		changed.ForcedIdP = nil
	} else {
		var id string
		if f.str("idp_for_forced_login", &id) {
			if rq.idp(id) == nil {
				f.fail(invalid(id, "idp_for_forced_login is no identity provider of this organization"))
			}
			changed.ForcedIdP = &id
		}
	}
	if err := f.done(); err != nil {
		return answer{}, err
	}
	rq.org.Login = changed
	return noContent, nil
}

// idp is the wire form of an identity provider. sp_* is Essentials' own end of the connection.
type idp struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	IsActive    bool   `json:"is_active"`
	Description string `json:"description"`
	IconRef     string `json:"icon_ref"`
	EntityID    string `json:"idp_entity_id"`
	LoginURL    string `json:"idp_login_url"`
	LogoutURL   string `json:"idp_logout_url"`
	PublicCert  string `json:"idp_public_cert"`
	SPEntityID  string `json:"sp_entity_id"`
	SPLoginURL  string `json:"sp_login_url"`
	SPLogoutURL string `json:"sp_logout_url"`
	SPCert      string `json:"sp_public_cert"`
}

func wireIdP(o *world.Organization, p *world.IdP) idp {
	base := "https://" + o.Stack + ".proofpointessentials.com"
	return idp{
		ID: p.ID, Name: p.Name, IsActive: p.IsActive, Description: p.Description, IconRef: p.IconRef, EntityID: p.EntityID,
		LoginURL: p.LoginURL, LogoutURL: p.LogoutURL, PublicCert: p.PublicCert,
		SPEntityID: base + "/id", SPLoginURL: base + "/app/login.php", SPLogoutURL: base + "/app/logout.php", SPCert: p.SPCert,
	}
}

func (rq *request) idp(id string) *world.IdP {
	for _, p := range rq.org.IdPs {
		if strings.EqualFold(p.ID, id) {
			return p
		}
	}
	return nil
}

func listIdPs(rq *request) (answer, error) {
	out := []idp{}
	for _, p := range rq.org.IdPs {
		out = append(out, wireIdP(rq.org, p))
	}
	return answer{http.StatusOK, out}, nil
}

func getIdP(rq *request) (answer, error) {
	p := rq.idp(rq.params["uuid"])
	if p == nil {
		return answer{}, notFound("identity provider", rq.params["uuid"])
	}
	return answer{http.StatusOK, wireIdP(rq.org, p)}, nil
}

func createIdP(rq *request) (answer, error) {
	p := &world.IdP{IconRef: "idp_icon_generic"}
	if err := rq.decodeIdP(p); err != nil {
		return answer{}, err
	}
	p.ID = strings.ToUpper(rq.w.NewGUID())
	p.SPCert = "simulated certificate of the service provider"
	rq.org.IdPs = append(rq.org.IdPs, p)
	return answer{http.StatusCreated, wireIdP(rq.org, p)}, nil
}

func updateIdP(rq *request) (answer, error) {
	p := rq.idp(rq.params["uuid"])
	if p == nil {
		return answer{}, notFound("identity provider", rq.params["uuid"])
	}
	changed := *p
	if err := rq.decodeIdP(&changed); err != nil {
		return answer{}, err
	}
	*p = changed
	return noContent, nil
}

// decodeIdP reads an identity provider over p. The read-only fields of a read are refused: the vendor's description has
// a body of its own without them.
func (rq *request) decodeIdP(p *world.IdP) error {
	f, err := decodeObject(rq.body)
	if err != nil {
		return err
	}
	f.str("name", &p.Name)
	f.id = p.Name
	f.boolean("is_active", &p.IsActive)
	f.str("description", &p.Description)
	f.str("icon_ref", &p.IconRef)
	f.str("idp_entity_id", &p.EntityID)
	f.str("idp_login_url", &p.LoginURL)
	f.str("idp_logout_url", &p.LogoutURL)
	f.str("idp_public_cert", &p.PublicCert)
	if err := f.done(); err != nil {
		return err
	}
	if strings.TrimSpace(p.Name) == "" {
		return invalid("", "name is required")
	}
	for _, u := range []string{p.LoginURL, p.LogoutURL} {
		if parsed, err := url.Parse(u); u != "" && (err != nil || parsed.Scheme != "https" || parsed.Host == "") {
			return invalid(p.Name, "%q is no https URL", u)
		}
	}
	for _, other := range rq.org.IdPs {
		if strings.EqualFold(other.Name, p.Name) && other.ID != p.ID {
			return conflict(p.Name, "an identity provider of this name exists")
		}
	}
	return nil
}

func deleteIdP(rq *request) (answer, error) {
	p := rq.idp(rq.params["uuid"])
	if p == nil {
		return answer{}, notFound("identity provider", rq.params["uuid"])
	}
	if forced := rq.org.Login.ForcedIdP; forced != nil && strings.EqualFold(*forced, p.ID) {
		return answer{}, conflict(p.Name, "the identity provider is forced for login")
	}
	rq.org.IdPs = slices.DeleteFunc(rq.org.IdPs, func(e *world.IdP) bool { return e == p })
	return noContent, nil
}
