package essentials

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// Control returns the handler of the control paths, which the product does not have and which ask for no credentials:
//
//	POST /_sim/orgs/{d}/azure/sync   {"mode":"preview"|"apply"|"scheduled","uncheck":[address…]} → SyncReport
//	GET  /_sim/route?to=ADDRESS      → Delivery
//
// Safe for concurrent use.
func Control(w *world.World) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_sim/orgs/{d}/azure/sync", func(rw http.ResponseWriter, r *http.Request) {
		report, err := controlSync(w, rw, r)
		reply(rw, report, err)
	})
	mux.HandleFunc("GET /_sim/route", func(rw http.ResponseWriter, r *http.Request) {
		w.RLock()
		d, err := Route(w, r.URL.Query().Get("to"))
		w.RUnlock()
		reply(rw, d, err)
	})
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) { unimplemented(rw, r, "no such control path") })
	return mux
}

func controlSync(w *world.World, rw http.ResponseWriter, r *http.Request) (SyncReport, error) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		return SyncReport{}, fail(http.StatusBadRequest, "", "the body could not be read: %v", err)
	}
	f, err := decodeObject(body)
	if err != nil {
		return SyncReport{}, err
	}
	var mode string
	var uncheck []string
	f.enum("mode", &mode, string(SyncPreview), string(SyncApply), string(SyncScheduled))
	f.list("uncheck", &uncheck)
	if err := f.done(); err != nil {
		return SyncReport{}, err
	}
	if mode == "" {
		return SyncReport{}, invalid("", "mode is required")
	}
	w.Lock()
	defer w.Unlock()
	o := w.Organization(r.PathValue("d"))
	if o == nil {
		return SyncReport{}, notFound("organization", r.PathValue("d"))
	}
	world.Annotate(r.Context(), func(c *world.Call) {
		c.Tenant, c.Operation, c.Changing = o.PrimaryDomain, "azure sync "+mode, mode != string(SyncPreview)
	})
	return Sync(w, o, SyncMode(mode), uncheck), nil
}

func reply(rw http.ResponseWriter, body any, err error) {
	if err != nil {
		writeError(rw, err)
		return
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		writeError(rw, err)
		return
	}
	write(rw, http.StatusOK, encoded)
}

// Delivery says whether the gateway accepts mail to an address at the world's present, and where it goes.
type Delivery struct {
	Address  string `json:"address"`
	Accepted bool   `json:"accepted"`
	// Reason is why mail is refused, or "smtp_discovery" when it is accepted for an address that has no account.
	// Refusals: unknown_domain, organization_inactive, not_relayed, domain_inactive, not_routable_yet (R46),
	// unknown_address, account_inactive (R32).
	Reason string `json:"reason"`
	// Organization is the primary domain of the organization; Account the primary address of the account that receives
	// it, and AccountType its type.
	Organization string `json:"organization"`
	Account      string `json:"account"`
	AccountType  string `json:"account_type"`
	// Destination is the host that mail is delivered to, Failovers those tried after it.
	Destination string   `json:"destination"`
	Failovers   []string `json:"failovers"`
	// RoutableAt is when the domain routes, when that is known and still to come.
	RoutableAt *time.Time `json:"routable_at"`
	// AtGateway is true when the domain's MX records lead here at all.
	AtGateway bool `json:"at_gateway"`
}

// Route answers for one address. The error is for what is no address. The caller holds RLock or Lock.
func Route(w *world.World, to string) (Delivery, error) {
	address, name, ok := addressOf(to)
	if !ok {
		return Delivery{}, invalid(to, "%q is no e-mail address", to)
	}
	out := Delivery{Address: address, Failovers: []string{}, AtGateway: receivesAtGateway(w, name)}
	o := w.Organization(name)
	var d *world.Domain
	if o != nil {
		d = o.Domain(name)
	}
	if d == nil {
		out.Reason = "unknown_domain"
		return out, nil
	}
	out.Organization = o.PrimaryDomain
	u := o.User(address)
	if u != nil {
		out.Account, out.AccountType = strings.ToLower(u.PrimaryEmail), u.Type
	}
	at, waiting := o.RoutableAt[name]
	discovery, _ := o.Features["smtp_discovery"].(bool)
	switch {
	case !o.IsActive:
		out.Reason = "organization_inactive"
	case !d.IsRelay:
		out.Reason = "not_relayed"
	case !d.IsActive:
		out.Reason = "domain_inactive"
	case waiting && w.Clock.Before(at):
		out.Reason, out.RoutableAt = "not_routable_yet", &at
	case u == nil && !discovery:
		out.Reason = "unknown_address"
	case u != nil && !u.IsActive:
		out.Reason = "account_inactive"
	default:
		out.Accepted, out.Destination, out.Failovers = true, d.Destination, list(d.Failovers)
		if u == nil {
			out.Reason = "smtp_discovery"
		}
	}
	return out, nil
}
