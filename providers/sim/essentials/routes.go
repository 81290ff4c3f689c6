package essentials

import (
	"slices"
	"strings"
)

// Operation is one operation of the Interface API v1.
type Operation struct {
	// Method is the HTTP method, Path the template below /api/v1: {d} any domain of the organization, {t} the domain
	// acted on.
	Method, Path string
	// Implemented is false for an operation that answers 501.
	Implemented bool
}

type operation struct {
	method, path string
	run          func(*request) (answer, error)
	// extra marks a second form of an operation that the list of 77 has once.
	extra    bool
	segments []string
}

// Operations lists the API's 77 operations in the order of the vendor's resources, for a coverage table.
func Operations() []Operation {
	var out []Operation
	for _, op := range routes {
		if !op.extra {
			out = append(out, Operation{Method: op.method, Path: op.path, Implemented: op.run != nil})
		}
	}
	return out
}

var routes = buildRoutes()

// match finds the operation, or the methods that the path has. The table is short and a request costs far more than the
// walk.
func match(method string, segments []string) (op *operation, params map[string]string, allowed []string) {
	for i := range routes {
		p, ok := matchPath(routes[i].segments, segments)
		if !ok {
			continue
		}
		if routes[i].method == method {
			return &routes[i], p, nil
		}
		if !slices.Contains(allowed, routes[i].method) {
			allowed = append(allowed, routes[i].method)
		}
	}
	return nil, nil, allowed
}

func matchPath(template, segments []string) (map[string]string, bool) {
	if len(template) != len(segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, t := range template {
		if name, isParam := strings.CutPrefix(t, "{"); isParam {
			params[strings.TrimSuffix(name, "}")] = segments[i]
		} else if t != segments[i] {
			return nil, false
		}
	}
	return params, true
}

// buildRoutes is the vendor's list of operations, in the order of the coverage table.
func buildRoutes() []operation {
	const (
		org       = "/orgs/{d}"
		user      = org + "/users/{user}"
		dom       = org + "/domains/{t}"
		azure     = org + "/settings/azure"
		exempt    = azure + "/exemptions"
		auth      = org + "/authentication/settings"
		idps      = auth + "/idps"
		tags      = org + "/email-tagging"
		tagExempt = tags + "/exemptions"
	)
	table := []operation{
		{method: "GET", path: "/me", run: getMe},
		{method: "GET", path: "/endpoints/{domain}", run: getEndpoints},
		{method: "POST", path: "/token/{d}", run: createToken},

		{method: "GET", path: org, run: getOrganization},
		{method: "GET", path: org + "/orgs", run: listOrganizations},
		{method: "POST", path: org + "/orgs", run: createOrganizations},
		{method: "PATCH", path: org, run: patchOrganization},
		{method: "DELETE", path: org, run: deleteOrganization},

		{method: "GET", path: org + "/users", run: listUsers},
		{method: "POST", path: org + "/users", run: createUsers},
		{method: "GET", path: user, run: getUser},
		{method: "PUT", path: user, run: updateUser},
		{method: "DELETE", path: user, run: deleteUser},

		{method: "GET", path: org + "/domains", run: listDomains},
		{method: "POST", path: org + "/domains", run: createDomains},
		{method: "GET", path: dom, run: getDomain},
		{method: "PUT", path: dom, run: updateDomain},
		{method: "DELETE", path: dom, run: deleteDomain},
		{method: "GET", path: dom + "/verification-code", run: getVerificationCode},
		{method: "PUT", path: dom + "/verify/{method}", run: verifyDomain},
		{method: "GET", path: dom + "/health", run: getHealth},

		{method: "GET", path: dom + "/dkim", run: listDKIM},
		{method: "DELETE", path: dom + "/dkim", run: deleteAllDKIM},
		{method: "POST", path: dom + "/dkim", run: createDKIM, extra: true},
		{method: "GET", path: dom + "/dkim/{selector}", run: getDKIM},
		{method: "POST", path: dom + "/dkim/{selector}", run: createDKIM},
		{method: "DELETE", path: dom + "/dkim/{selector}", run: deleteDKIM},
		{method: "PUT", path: dom + "/dkim/{selector}/verify", run: verifyDKIM},

		{method: "GET", path: org + "/features", run: getFeatures},
		{method: "PUT", path: org + "/features", run: putFeatures},
		{method: "GET", path: org + "/licensing", run: getLicensing},
		{method: "PUT", path: org + "/licensing", run: putLicensing},
		{method: "PUT", path: org + "/package", run: putPackage},
		{method: "GET", path: org + "/products", run: listProducts},
		{method: "POST", path: org + "/products", run: createProduct},
		{method: "GET", path: org + "/products/{label}", run: getProduct},
		{method: "PATCH", path: org + "/products/{label}", run: patchProduct},
		{method: "DELETE", path: org + "/products/{label}", run: deleteProduct},
	}
	for _, l := range []struct {
		path   string
		target senderTarget
	}{{org, organizationSenders}, {user, userSenders}, {org + "/groups/{group}", groupSenders}} {
		path := l.path + "/sender-lists"
		table = append(table,
			operation{method: "GET", path: path, run: getSenders(l.target)},
			operation{method: "POST", path: path, run: changeSenders(l.target, addSenders)},
			operation{method: "PATCH", path: path, run: changeSenders(l.target, replaceSenders)},
			operation{method: "DELETE", path: path, run: changeSenders(l.target, removeSenders)},
		)
	}
	table = append(table, []operation{
		{method: "GET", path: azure, run: getAzure},
		{method: "PUT", path: azure, run: putAzure},
		{method: "DELETE", path: azure, run: deleteAzure},
		{method: "GET", path: exempt, run: getExemptions},
		{method: "PUT", path: exempt, run: putExemptions},
		{method: "DELETE", path: exempt, run: deleteExemptions},
		{method: "DELETE", path: exempt + "/{user}", run: deleteExemption},

		{method: "GET", path: auth + "/mfa", run: getMFA},
		{method: "PUT", path: auth + "/mfa", run: putMFA},
		{method: "GET", path: auth + "/login", run: getLogin},
		{method: "PUT", path: auth + "/login", run: putLogin},
		{method: "GET", path: idps, run: listIdPs},
		{method: "POST", path: idps, run: createIdP},
		{method: "GET", path: idps + "/{uuid}", run: getIdP},
		{method: "PUT", path: idps + "/{uuid}", run: updateIdP},
		{method: "DELETE", path: idps + "/{uuid}", run: deleteIdP},

		{method: "GET", path: tags, run: getTagging},
		{method: "PUT", path: tags, run: putTagging},
		{method: "PATCH", path: tags, run: patchTagging},
		{method: "GET", path: tagExempt, run: getTagExemptions},
		{method: "POST", path: tagExempt, run: addTagExemptions},
		{method: "DELETE", path: tagExempt, run: deleteTagExemptions},

		{method: "GET", path: "/billing/{d}", run: getBilling},
		{method: "GET", path: "/billing/{d}/orgs", run: listBilling},
		{method: "GET", path: "/reporting/{d}/{period}", run: getReport},
		{method: "GET", path: "/reporting/{d}/{period}/{direction}", run: getReport},
		{method: "GET", path: "/stats/{d}/partner", run: getPartnerStats},
		{method: "GET", path: "/stats/{d}/partner/orgs", run: listPartnerStats},
	}...)
	for i := range table {
		table[i].segments = strings.Split(strings.Trim(table[i].path, "/"), "/")
	}
	return table
}
