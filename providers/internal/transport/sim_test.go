package transport_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/sim/exchange"
	"github.com/weir-project/weir/providers/sim/world"
)

type signer struct {
	w    *world.World
	wids []string
}

func (s signer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: s.w.SignToken(world.Claims{
		Audience: "https://outlook.office365.com", Tenant: s.w.Tenants[0].ID, Roles: []string{"Exchange.ManageAsApp"},
		Wids: s.wids, Issued: s.w.Clock, Expires: s.w.Clock.Add(time.Hour),
	})}, nil
}

// A client over a real TLS connection meets the habits of Exchange Online: the redirect to a region, the posted page,
// the 403 that only pretends to be gzip.
func TestAgainstSimulatedExchange(t *testing.T) {
	w := &world.World{ID: "t", Clock: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Tenants: []*world.Tenant{{
		ID: "11111111-1111-4111-8111-111111111111",
		Domains: []*world.EntraDomain{
			{Name: "contoso.onmicrosoft.com", Verified: true, Initial: true}, {Name: "contoso.com", Verified: true, Default: true},
		},
	}}}
	w.Reindex()
	server := httptest.NewTLSServer(exchange.New(w))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client := func(wids ...string) *http.Client {
		return transport.Client(transport.Options{
			Hosts: []string{strings.TrimPrefix(server.URL, "https://")}, RootCAs: roots, Gates: &transport.Gates{},
			Secrets: &transport.Secrets{}, Credential: transport.Bearer(signer{w, wids}, "https://outlook.office365.com/.default"),
		})
	}
	const admin = "29232cdf-9323-42fd-ade2-1d097af3e4de"
	tests := []struct {
		name, region, cmdlet string
		wids                 []string
		status               int
		text                 string
	}{
		{"plain", "", "Get-AcceptedDomain", []string{admin}, 200, `"DomainName":"contoso.com"`},
		{"redirected", "nam12", "Get-AcceptedDomain", []string{admin}, 200, `"DomainName":"contoso.com"`},
		{"no role", "", "Get-AcceptedDomain", nil, 403, "\x00\x00"},
		{"unknown cmdlet, redirected", "nam12", "Get-Nothing", []string{admin}, 403, "\x00\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.Lock()
			w.Switches.ExchangeRegion = tt.region
			w.Unlock()
			response, err := client(tt.wids...).Post(server.URL+"/adminapi/beta/contoso.com/InvokeCommand", "application/json",
				strings.NewReader(`{"CmdletInput":{"CmdletName":"`+tt.cmdlet+`","Parameters":{}}}`))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != tt.status || !strings.Contains(string(body), tt.text) {
				t.Errorf("%d %q %v", response.StatusCode, body, err)
			}
			if (response.Request.URL.Query().Get("region") != "") != (tt.region != "") {
				t.Errorf("answered at %s", response.Request.URL)
			}
		})
	}
}
