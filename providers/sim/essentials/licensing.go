package essentials

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/sim/world"
)

func getLicensing(rq *request) (answer, error) {
	o := rq.org
	return answer{http.StatusOK, map[string]any{
		"license_count": count(rq.w, o.Licenses), "package": o.Package, "is_on_trial": o.Trial, "is_beginner_plus": o.BeginnerPlus,
	}}, nil
}

// putLicensing changes the seats. The other fields are read-only: the vendor's description; repeating them is accepted.
func putLicensing(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	o := rq.org
	f.id = o.PrimaryDomain
	seats, pkg, trial, plus := o.Licenses, o.Package, o.Trial, o.BeginnerPlus
	f.number("license_count", &seats)
	f.enum("package", &pkg, packages...)
	f.boolean("is_on_trial", &trial)
	f.boolean("is_beginner_plus", &plus)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	switch {
	case pkg != o.Package:
		return answer{}, invalid(f.id, "package is read-only here; use PUT package")
	case trial != o.Trial:
		return answer{}, invalid(f.id, "is_on_trial is read-only")
	case plus != o.BeginnerPlus:
		return answer{}, invalid(f.id, "is_beginner_plus is read-only")
	case seats < 0:
		return answer{}, invalid(f.id, "license_count must not be negative")
	}
	o.Licenses = seats
	return noContent, nil
}

// putPackage changes the package. An upgrade starts a trial until it is activated, a downgrade applies at once: the
// vendor's older help page "Licensing".
func putPackage(rq *request) (answer, error) {
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	o := rq.org
	f.id = o.PrimaryDomain
	var pkg string
	var activated, eula, extended bool
	f.enum("package", &pkg, packages...)
	f.boolean("is_activated", &activated)
	f.boolean("is_eula_confirmed", &eula)
	f.boolean("is_trial_extended", &extended)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	switch {
	case pkg == "":
		return answer{}, invalid(f.id, "package is required")
	case !eula:
		return answer{}, invalid(f.id, "is_eula_confirmed is required and must be true")
	case extended && !o.Trial:
		return answer{}, invalid(f.id, "is_trial_extended: there is no trial")
	}
	upgrade := slices.Index(packages, pkg) > slices.Index(packages, o.Package)
	if pkg != o.Package {
		repackage(o, pkg)
	}
	if upgrade {
		o.Trial = !activated
	} else if activated {
		o.Trial = false
	}
	return noContent, nil
}

// catalog is what a customer can have. The labels are those that clients use; the vendor's own catalog is not public.
var catalog = []struct {
	label, name, description string
	variants                 []string
	minTerm                  int
}{
	{"EMAIL_SECURITY", "Email Security", "Inbound and outbound mail protection.", packages, 1},
	{"SECURITY_AWARENESS", "Security Awareness", "Attack simulation and training.", []string{"standard"}, 12},
}

type product struct {
	Status      string        `json:"status"`
	Label       string        `json:"label"`
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Billing     string        `json:"billing_method"`
	MinTerm     int           `json:"min_term"`
	Renewable   bool          `json:"is_renewable"`
	MinLicenses int           `json:"min_licenses"`
	HelpURL     string        `json:"help_url"`
	Variants    []variant     `json:"variants"`
	Purchase    *purchaseInfo `json:"purchase_info"`
}

type variant struct {
	Name        string `json:"name"`
	Ref         string `json:"ref"`
	Order       int    `json:"order_index"`
	Description string `json:"description"`
	Purchasable bool   `json:"is_purchasable"`
}

type purchaseInfo struct {
	Variant   string `json:"variant"`
	AutoRenew bool   `json:"auto_renew"`
	Trial     bool   `json:"is_trial"`
}

// wireProducts merges the catalog with what the organization bought. Mail protection is always there, as the package.
func wireProducts(o *world.Organization) []product {
	var out []product
	for _, c := range catalog {
		p := product{Status: "available", Label: c.label, Name: c.name, Description: c.description, Billing: "Monthly",
			MinTerm: c.minTerm, Renewable: true, MinLicenses: 1, HelpURL: "https://help.proofpoint.com/Proofpoint_Essentials"}
		for i, v := range c.variants {
			p.Variants = append(p.Variants, variant{v, strings.ToLower(c.label) + "_id_" + v, 10 * (i + 1), v, true})
		}
		if bought := boughtProduct(o, c.label); bought != nil {
			p.Status, p.Purchase = "confirmed", &purchaseInfo{bought.Variant, bought.AutoRenew, bought.Trial}
		} else if c.label == "EMAIL_SECURITY" {
			p.Status, p.Purchase = "confirmed", &purchaseInfo{o.Package, true, o.Trial}
		}
		out = append(out, p)
	}
	return out
}

func boughtProduct(o *world.Organization, label string) *world.Product {
	for _, p := range o.Products {
		if strings.EqualFold(p.Label, label) {
			return p
		}
	}
	return nil
}

func listProducts(rq *request) (answer, error) {
	return answer{http.StatusOK, wireProducts(rq.org)}, nil
}

func (rq *request) product(label string) (product, error) {
	for _, p := range wireProducts(rq.org) {
		if strings.EqualFold(p.Label, label) {
			return p, nil
		}
	}
	return product{}, notFound("product", label)
}

func getProduct(rq *request) (answer, error) {
	p, err := rq.product(rq.params["label"])
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, p}, nil
}

func createProduct(rq *request) (answer, error) {
	return createBatch(rq, "products", func(f *fields) (any, error) {
		bought := &world.Product{}
		f.str("label", &bought.Label)
		f.id = bought.Label
		f.str("variant", &bought.Variant)
		f.boolean("auto_renew", &bought.AutoRenew)
		f.boolean("is_trial", &bought.Trial)
		if err := f.done(); err != nil {
			return nil, err
		}
		offered, err := rq.product(bought.Label)
		if err != nil {
			return nil, invalid(f.id, "label is no product")
		}
		if offered.Purchase != nil {
			return nil, conflict(f.id, "the product is already purchased")
		}
		if !offers(offered, bought.Variant) {
			return nil, invalid(f.id, "the product has no variant %q", bought.Variant)
		}
		bought.Label = offered.Label
		rq.org.Products = append(rq.org.Products, bought)
		return rq.product(bought.Label)
	})
}

func offers(p product, name string) bool {
	return slices.ContainsFunc(p.Variants, func(v variant) bool { return strings.EqualFold(v.Name, name) })
}

func patchProduct(rq *request) (answer, error) {
	offered, err := rq.product(rq.params["label"])
	if err != nil {
		return answer{}, err
	}
	if offered.Purchase == nil {
		return answer{}, notFound("subscription of product", offered.Label)
	}
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	f.id = offered.Label
	changed := world.Product{Label: offered.Label, Variant: offered.Purchase.Variant, AutoRenew: offered.Purchase.AutoRenew,
		Trial: offered.Purchase.Trial}
	f.str("variant", &changed.Variant)
	f.boolean("auto_renew", &changed.AutoRenew)
	f.boolean("is_trial", &changed.Trial)
	f.boolean("is_on_trial", &changed.Trial) // the spelling that a client sends
	var extended bool
	f.boolean("is_trial_extended", &extended)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	if !offers(offered, changed.Variant) {
		return answer{}, invalid(f.id, "the product has no variant %q", changed.Variant)
	}
	if present := boughtProduct(rq.org, offered.Label); present != nil {
		*present = changed
	} else {
		rq.org.Products = append(rq.org.Products, &changed)
	}
	if offered.Label == "EMAIL_SECURITY" {
		repackage(rq.org, strings.ToLower(changed.Variant))
		rq.org.Trial = changed.Trial
	}
	return noContent, nil
}

// deleteProduct: "this will not normally be available to customers": the vendor's description. A partner may cancel what
// was bought.
func deleteProduct(rq *request) (answer, error) {
	offered, err := rq.product(rq.params["label"])
	if err != nil {
		return answer{}, err
	}
	if !isPartnerAdmin(rq.caller.Type) || offered.Label == "EMAIL_SECURITY" {
		return answer{}, fail(http.StatusForbidden, offered.Label, "not authorized to delete this product")
	}
	bought := boughtProduct(rq.org, offered.Label)
	if bought == nil {
		return answer{}, notFound("subscription of product", offered.Label)
	}
	rq.org.Products = slices.DeleteFunc(rq.org.Products, func(p *world.Product) bool { return p == bought })
	return noContent, nil
}

func getBilling(rq *request) (answer, error) {
	return answer{http.StatusOK, []any{wireBilling(rq.org)}}, nil
}

func listBilling(rq *request) (answer, error) {
	out := []any{wireBilling(rq.org)}
	for _, o := range rq.w.Children(rq.org.EID) {
		out = append(out, wireBilling(o))
	}
	return answer{http.StatusOK, out}, nil
}

// wireBilling has the fields of the vendor's description that the world knows.
func wireBilling(o *world.Organization) map[string]any {
	nonBillable := 0
	for _, u := range o.Users {
		if u.IsActive && !u.IsBillable {
			nonBillable++
		}
	}
	urlDefense, _ := o.Features["url_defense"].(bool)
	var trialPackage, trialEnd any
	if o.Trial {
		trialPackage = o.Package
		if renewal, err := time.Parse("2006/01/02", o.Renewal); err == nil {
			trialEnd = renewal.Format("2006/01/02")
		}
	}
	return map[string]any{
		"eid": o.EID, "name": o.Name, "is_active": o.IsActive, "type": o.Type, "url_defense_feature": urlDefense,
		"address": o.Address, "state_prov": o.State, "postcode": o.Postcode, "country_code": o.Country,
		"licensing_package": o.Package, "billable_package": o.Package, "is_beginner_plus": o.BeginnerPlus,
		"is_basic_package": o.Package == "beginner", "confirmed_users": o.Licenses, "active_users": activeUsers(o),
		"non_billable_users": nonBillable, "when_renewal": o.Renewal, "is_test_account": false, "is_on_trial": o.Trial,
		"trial_package": trialPackage, "trial_end_date": trialEnd, "primary_domain": o.PrimaryDomain,
		"data_center": strings.ToUpper(o.Stack), "billing_method": "Annual", "external_id": o.ExternalID,
	}
}
