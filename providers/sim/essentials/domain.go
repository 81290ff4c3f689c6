package essentials

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

// routingDelay is how long a new domain has to wait before it may be used for routing (R46).
const routingDelay = 60 * time.Minute

type domain struct {
	Name        string   `json:"name"`
	IsActive    bool     `json:"is_active"`
	IsRelay     bool     `json:"is_relay"`
	Destination string   `json:"destination"`
	Failovers   []string `json:"failovers"`
}

func wireDomain(d *world.Domain) domain {
	// "always false for non-relay domains": the vendor's description. A world file may say otherwise.
	return domain{Name: d.Name, IsActive: d.IsActive && d.IsRelay, IsRelay: d.IsRelay, Destination: d.Destination, Failovers: list(d.Failovers)}
}

func wireDomains(o *world.Organization) []domain {
	out := make([]domain, len(o.Domains))
	for i, d := range o.Domains {
		out[i] = wireDomain(d)
	}
	return out
}

// target is the domain {t} of the addressed organization.
func (rq *request) target() (*world.Domain, error) {
	if d := rq.org.Domain(rq.params["t"]); d != nil {
		return d, nil
	}
	return nil, notFound("domain", rq.params["t"])
}

func listDomains(rq *request) (answer, error) {
	if rq.w.Switches.BareLists {
		return answer{http.StatusOK, wireDomains(rq.org)}, nil
	}
	return answer{http.StatusOK, map[string]any{"domains": wireDomains(rq.org)}}, nil
}

func getDomain(rq *request) (answer, error) {
	d, err := rq.target()
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, wireDomain(d)}, nil
}

func createDomains(rq *request) (answer, error) {
	return createBatch(rq, "domains", func(f *fields) (any, error) {
		d := &world.Domain{}
		if err := rq.decodeDomain(f, d, true); err != nil {
			return nil, err
		}
		d.Verification = rq.w.VerificationCode(d.Name)
		rq.w.AddDomain(rq.org, d)
		if rq.org.RoutableAt == nil {
			rq.org.RoutableAt = map[string]time.Time{}
		}
		rq.org.RoutableAt[d.Name] = rq.w.Clock.Add(routingDelay)
		return wireDomain(d), nil
	})
}

func updateDomain(rq *request) (answer, error) {
	d, err := rq.target()
	if err != nil {
		return answer{}, err
	}
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	changed := *d
	if err := rq.decodeDomain(f, &changed, false); err != nil {
		return answer{}, err
	}
	*d = changed
	return noContent, nil
}

// decodeDomain reads a domain over d, which holds the present values on an update.
func (rq *request) decodeDomain(f *fields, d *world.Domain, create bool) error {
	name := d.Name
	f.str("name", &name)
	name = strings.ToLower(name)
	f.id = name
	f.boolean("is_active", &d.IsActive)
	f.boolean("is_relay", &d.IsRelay)
	f.str("destination", &d.Destination)
	f.list("failovers", &d.Failovers)
	if err := f.done(); err != nil {
		return err
	}
	switch {
	case !validDomain(name):
		return invalid(name, "name is required and must be a domain name")
	case !create && name != strings.ToLower(d.Name):
		return invalid(d.Name, "name cannot be changed")
	case create && rq.w.Organization(name) != nil:
		return conflict(name, "the domain already exists")
	case d.IsRelay && d.Destination == "":
		return invalid(name, "destination is required for a relay domain")
	case d.Destination != "" && !validHost(d.Destination):
		return invalid(name, "destination must be a host name or an IPv4 address")
	case slices.ContainsFunc(d.Failovers, func(h string) bool { return !validHost(h) }):
		return invalid(name, "failovers must be host names or IPv4 addresses")
	}
	d.Name = name
	// "is the domain active. always false for non-relay domains": the vendor's description.
	d.IsActive = d.IsActive && d.IsRelay
	return nil
}

func validHost(h string) bool {
	h = strings.ToLower(h)
	return h != "true" && h != "false" && validDomain(h)
}

// deleteDomain refuses the primary domain and one that still carries addresses (inferred: an account exists only under
// an existing domain).
func deleteDomain(rq *request) (answer, error) {
	d, err := rq.target()
	if err != nil {
		return answer{}, err
	}
	if strings.EqualFold(d.Name, rq.org.PrimaryDomain) {
		return answer{}, conflict(d.Name, "the primary domain cannot be deleted")
	}
	suffix := "@" + strings.ToLower(d.Name)
	for _, u := range rq.org.Users {
		under := func(a string) bool { return strings.HasSuffix(strings.ToLower(a), suffix) }
		if under(u.PrimaryEmail) || slices.ContainsFunc(u.Aliases, under) {
			return answer{}, conflict(d.Name, "the domain is in use by %s", u.PrimaryEmail)
		}
	}
	rq.w.RemoveDomain(rq.org, d.Name)
	delete(rq.org.RoutableAt, strings.ToLower(d.Name))
	rq.org.DKIM = slices.DeleteFunc(rq.org.DKIM, func(k *world.DKIMKey) bool { return strings.EqualFold(k.Domain, d.Name) })
	return noContent, nil
}

func getVerificationCode(rq *request) (answer, error) {
	d, err := rq.target()
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, map[string]any{"code": d.Verification}}, nil
}

// verifyDomain looks for the code in the domain's TXT records, or in the META tags of its web page.
func verifyDomain(rq *request) (answer, error) {
	d, err := rq.target()
	if err != nil {
		return answer{}, err
	}
	name := strings.ToLower(d.Name)
	var found []string
	switch strings.ToUpper(rq.params["method"]) {
	case "TXT":
		found = lookup(rq.w, name, func(z *world.Zone) []string { return z.TXT[name] })
	case "META":
		found = lookup(rq.w, name, func(z *world.Zone) []string { return append(slices.Clone(z.Meta[name]), z.Meta["www."+name]...) })
	default:
		return answer{}, fail(http.StatusBadRequest, rq.params["method"], "the method must be TXT or META")
	}
	if d.Verification == "" || !slices.ContainsFunc(found, func(s string) bool { return strings.TrimSpace(s) == d.Verification }) {
		return answer{}, conflict(d.Name, "the domain was not able to be verified at this time")
	}
	d.IsVerified = true
	return noContent, nil
}

// lookup reads from the zone that holds the name: the one with the longest apex.
func lookup[T any](w *world.World, name string, read func(*world.Zone) []T) []T {
	for apex := name; apex != ""; {
		if z := w.Zones[apex]; z != nil {
			return read(z)
		}
		_, apex, _ = strings.Cut(apex, ".")
	}
	return nil
}

// getHealth: the shape of the answer is inferred; the vendor has no public one.
func getHealth(rq *request) (answer, error) {
	d, err := rq.target()
	if err != nil {
		return answer{}, err
	}
	name := strings.ToLower(d.Name)
	spf := lookup(rq.w, name, func(z *world.Zone) []string { return z.TXT[name] })
	return answer{http.StatusOK, map[string]any{
		"domain": d.Name,
		"mx":     receivesAtGateway(rq.w, name),
		"spf": slices.ContainsFunc(spf, func(s string) bool {
			return strings.HasPrefix(s, "v=spf1") && strings.Contains(s, "ppe-hosted.com")
		}),
		"dkim": slices.ContainsFunc(rq.org.DKIM, func(k *world.DKIMKey) bool {
			return strings.EqualFold(k.Domain, name) && k.IsValid
		}),
		"destination_reachable": d.IsRelay && d.Destination != "",
	}}, nil
}

// receivesAtGateway tells whether the domain has MX records and all of them name the vendor's gateway.
func receivesAtGateway(w *world.World, name string) bool {
	mx := lookup(w, name, func(z *world.Zone) []world.MXRecord { return z.MX[name] })
	return len(mx) > 0 && !slices.ContainsFunc(mx, func(r world.MXRecord) bool {
		return !strings.HasSuffix(strings.ToLower(strings.TrimSuffix(r.Host, ".")), ".ppe-hosted.com")
	})
}
