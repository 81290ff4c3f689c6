package entra

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-project/weir/providers/resource"
)

// maxDiscovery bounds the discovery document, bytes.
const maxDiscovery = 256 << 10

// ReadCloud says in which part of Microsoft's cloud the tenant is: "" for the worldwide one, "GCC", "DODCON" (GCC High) or
// "DOD". It is the tenant_region_sub_scope of the tenant's OpenID configuration, which everybody may read (Microsoft:
// "OpenID Connect on the Microsoft identity platform", November 2026; the values are seen in clients). login is the
// sign-in host's base URL; the call carries no credential.
func ReadCloud(ctx context.Context, client *http.Client, login, tenant string) (string, error) {
	const op = "read OpenID configuration"
	fail := func(err error) (string, error) {
		return "", &resource.Error{Op: op, Subject: tenant, Kind: resource.ErrUnavailable, Err: err}
	}
	address := strings.TrimSuffix(login, "/") + "/" + url.PathEscape(tenant) + "/v2.0/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fail(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var doc struct {
		Issuer string  `json:"issuer"`
		Scope  string  `json:"tenant_region_scope"`
		Sub    *string `json:"tenant_region_sub_scope"`
	}
	switch err := json.NewDecoder(io.LimitReader(resp.Body, maxDiscovery)).Decode(&doc); {
	case resp.StatusCode != http.StatusOK:
		return fail(fmt.Errorf("HTTP %d", resp.StatusCode))
	case err != nil:
		return fail(fmt.Errorf("the answer is no discovery document: %w", err))
	case doc.Issuer == "" || doc.Scope == "":
		return fail(fmt.Errorf("the discovery document names no issuer or no region"))
	case doc.Sub == nil:
		return "", nil
	}
	return strings.ToUpper(*doc.Sub), nil
}
