package providers

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/dns"
	"github.com/weir-project/weir/providers/entra"
	"github.com/weir-project/weir/providers/essentials"
	"github.com/weir-project/weir/providers/exchange"
	"github.com/weir-project/weir/providers/internal/identity"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
	"github.com/weir-project/weir/providers/vendordata"
)

// Permit returns a context under which ask is asked directly before each try of a vendor call that may change something.
// With an error nothing is sent, and the call ends with it.
func Permit(ctx context.Context, ask func() error) context.Context { return transport.Permit(ctx, ask) }

// Redactor takes secrets that a run has seen out of texts.
type Redactor = transport.Secrets

// Secrets is the process's redactor, which learns every credential that a client is given.
func Secrets() *Redactor { return transport.ProcessSecrets() }

// Endpoints are where a simulator answers. The zero value means the vendors themselves.
type Endpoints struct {
	// Login, Graph, Exchange and Essentials are base URLs without a path; DNS is host:port.
	Login, Graph, Exchange, Essentials, DNS string
	// CA is the certificate of the simulator's authority, PEM.
	CA []byte
}

// PlainClient reaches the simulator's control address.
func (e Endpoints) PlainClient() (*http.Client, error) {
	roots, err := e.roots()
	if err != nil {
		return nil, err
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.Proxy = nil
	base.TLSClientConfig.RootCAs = roots
	return &http.Client{Transport: base, Timeout: 30 * time.Second}, nil
}

func (e Endpoints) roots() (*x509.CertPool, error) {
	if len(e.CA) == 0 {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(e.CA) {
		return nil, errors.New("the simulator's certificate authority is no PEM certificate")
	}
	return pool, nil
}

// EssentialsSettings is one provider "essentials" block.
type EssentialsSettings struct {
	// Address is the block's.
	Address              string
	Stack, BaseURL, User string
	Password             *resource.SecretRef
}

// MicrosoftSettings is one provider "microsoft" block.
type MicrosoftSettings struct {
	Address              string
	Credential, ClientID string
	ClientSecret         *resource.SecretRef
	CertificatePath      string
}

// Settings say how one tenant is reached. A provider that is nil is not connected: types that need it fail with an
// error that says so.
type Settings struct {
	Tenant     resource.Identity
	Essentials *EssentialsSettings
	Microsoft  *MicrosoftSettings
	// Cache keeps the directory between runs.
	Cache CacheSettings
}

// PoolOptions are what all tenants of a run share.
type PoolOptions struct {
	Endpoints Endpoints
	Secrets   resource.Secrets
	Redactor  *Redactor
	Version   string
	Now       func() time.Time
	// Sleep waits before a call is tried again; nil really waits.
	Sleep func(context.Context, time.Duration) error
	// VendorData is the pinned date; "" the newest.
	VendorData string
	// AllowHosts are the hosts besides the vendors' own to which the operator lets credentials go.
	AllowHosts []string
	// ChangeTimeout bounds one try of a call that changes something; 0, and at most, 30 seconds.
	ChangeTimeout time.Duration
	// Around, when given, stands around what sends each try of each vendor's calls.
	Around func(http.RoundTripper) http.RoundTripper
}

// Pool makes connections. Tenants that name the same provider block share one client where the vendor allows it. Safe
// for concurrent use.
type Pool struct {
	options PoolOptions
	roots   *x509.CertPool

	mu         sync.Mutex
	essentials map[string]*essentials.Client
}

// NewPool checks the options.
func NewPool(o PoolOptions) (*Pool, error) {
	roots, err := o.Endpoints.roots()
	if err != nil {
		return nil, err
	}
	return &Pool{options: o, roots: roots, essentials: map[string]*essentials.Client{}}, nil
}

// Tenant is one tenant's connection.
type Tenant struct {
	Conn *resource.Conn
	// Providers gives the address of the provider block by provider name ("essentials", "microsoft").
	Providers map[string]string
	// Directory reads Entra and Exchange; nil without a microsoft provider or directory.
	Directory func(ctx context.Context) (*directory.Reading, error)
	// Confirm reads one directory object directly; nil likewise. The kind of a user is UnknownKind when Exchange shows no
	// mailbox for it, or does not answer.
	Confirm func(ctx context.Context, objectID string) (*directory.Entry, bool, error)
	// Memberships reads the groups of one directory object directly, see entra.Client.Memberships; nil likewise.
	Memberships func(ctx context.Context, objectID string, kind directory.Kind, nested bool) (*directory.Memberships, error)
	// Distrust makes the next read of the directory a full one, whatever is kept; nil likewise.
	Distrust func()
	// DeletedAt tells when a directory object was deleted, zero when that is not known; nil likewise.
	DeletedAt func(ctx context.Context, objectID string) (time.Time, error)
	// Accounts and Writer read and write the organization's accounts; nil without an essentials provider.
	Accounts func(ctx context.Context) (*directory.AccountReading, error)
	Writer   directory.AccountWriter
	// Mail asks DNS.
	Mail func(ctx context.Context, domains []string) resource.MailFacts
	// Cloud says in which part of Microsoft's cloud the tenant is, see entra.Cloud; nil without a directory. Where the identity
	// has signed in before it costs no request.
	Cloud func(ctx context.Context) (string, error)
	// Stacks says which stacks of Essentials hold the tenant's primary domain, for doctor; nil without an essentials provider.
	Stacks func(ctx context.Context) ([]string, error)
}

// Connect makes a tenant's clients. No vendor is called yet.
func (p *Pool) Connect(s Settings) (*Tenant, error) {
	conn := &resource.Conn{Tenant: s.Tenant, Now: p.options.Now}
	t := &Tenant{Conn: conn, Providers: map[string]string{}}
	if s.Essentials != nil {
		client, err := p.essentialsClient(s.Essentials)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Essentials.Address, err)
		}
		conn.Clients = append(conn.Clients, client)
		t.Providers["essentials"] = s.Essentials.Address
		t.Accounts = func(ctx context.Context) (*directory.AccountReading, error) {
			return essentials.ReadAccounts(ctx, conn)
		}
		writer, err := essentials.NewWriter(conn)
		if err != nil {
			return nil, err
		}
		t.Writer = writer
		t.Stacks = func(ctx context.Context) ([]string, error) {
			return essentials.ReadStacks(ctx, conn, s.Tenant.PrimaryDomain)
		}
	}
	if s.Microsoft != nil {
		t.Providers["microsoft"] = s.Microsoft.Address
		if s.Tenant.EntraTenantID != "" {
			if err := p.microsoft(t, s); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Microsoft.Address, err)
			}
		}
	}
	data, err := vendordata.Lookup(s.Tenant.Stack, p.options.VendorData)
	if err != nil && s.Essentials != nil && s.Essentials.BaseURL == "" {
		return nil, err
	}
	if err == nil {
		resolver := dns.New(dns.Config{Server: p.options.Endpoints.DNS})
		t.Mail = func(ctx context.Context, domains []string) resource.MailFacts {
			return resolver.MailFacts(ctx, domains, data)
		}
	}
	return t, nil
}

// microsoft adds the clients of Graph and Exchange Online: one identity, one token a vendor.
func (p *Pool) microsoft(t *Tenant, s Settings) error {
	e := p.options.Endpoints
	o := identity.Options{
		Kind: orElse(s.Microsoft.Credential, identity.Secret), TenantID: s.Tenant.EntraTenantID, ClientID: s.Microsoft.ClientID,
		CertificatePath: s.Microsoft.CertificatePath, Authority: e.Login, Simulated: e.Login != "",
	}
	if s.Microsoft.ClientSecret != nil {
		secret, err := p.options.Secrets.Resolve(context.Background(), s.Microsoft.ClientSecret)
		if err != nil {
			return err
		}
		o.Secret = secret
	}
	loginURL := orElse(e.Login, "https://login.microsoftonline.com")
	login, err := host(loginURL)
	if err != nil {
		return err
	}
	clouds := []string{login}
	if e.Login == "" {
		government, err := host(entra.GovernmentLogin)
		if err != nil {
			return err
		}
		clouds = append(clouds, government) // is asked without a credential
	}
	cloud := entra.NewCloud(transport.Client(p.transport(transport.Options{Hosts: clouds})), loginURL, s.Tenant.EntraTenantID)
	t.Cloud = cloud.Read
	o.Transport = cloud.Watch(transport.Client(p.transport(transport.Options{Hosts: []string{login}})))
	credential, err := identity.New(o)
	if err != nil {
		return err
	}
	graphURL, exchangeURL := orElse(e.Graph, "https://graph.microsoft.com"), orElse(e.Exchange, "https://outlook.office365.com")
	graphHost, err := host(graphURL)
	if err != nil {
		return err
	}
	exchangeHost, err := host(exchangeURL)
	if err != nil {
		return err
	}
	graph, err := entra.New(entra.Config{
		BaseURL: graphURL + "/v1.0", TenantID: s.Tenant.EntraTenantID, Now: p.options.Now, Sleep: p.options.Sleep,
		HTTP: transport.Client(p.transport(transport.Options{Hosts: []string{graphHost}, Credential: transport.Bearer(credential, "https://graph.microsoft.com/.default"), MaxInFlight: 8})),
	})
	if err != nil {
		return err
	}
	mail, err := exchange.New(exchange.Config{
		BaseURL: exchangeURL, TenantID: s.Tenant.EntraTenantID,
		HTTP: transport.Client(p.transport(transport.Options{
			Hosts: []string{exchangeHost, "*.outlook.office365.com"}, Credential: transport.Bearer(credential, "https://outlook.office365.com/.default"),
			Transient: transport.ExchangeTransient, MaxInFlight: 3,
		})),
	})
	if err != nil {
		return err
	}
	t.Conn.Clients = append(t.Conn.Clients, graph, mail)
	kept := &cachedDirectory{graph: graph, mail: mail, keep: s.Cache, now: p.options.Now, simulated: e.Graph != ""}
	if kept.now == nil {
		kept.now = time.Now
	}
	t.DeletedAt, t.Memberships = graph.DeletedAt, graph.Memberships
	kept.distrusted.Store(s.Cache.Full)
	t.Directory, t.Confirm, t.Distrust = kept.read, kept.confirm, func() { kept.distrusted.Store(true) }
	return nil
}

// essentialsClient is shared by the tenants of one provider block.
func (p *Pool) essentialsClient(s *EssentialsSettings) (*essentials.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A tenant whose block is gone is reached with what its state was made with, which may differ from the block that
	// has the address now.
	key := strings.Join([]string{s.Address, s.Stack, s.BaseURL, s.User}, "\x00")
	if s.Password != nil {
		key += "\x00" + s.Password.URL
	}
	if c := p.essentials[key]; c != nil {
		return c, nil
	}
	if s.Password == nil || s.User == "" {
		return nil, errors.New("user and password are needed")
	}
	password, err := p.options.Secrets.Resolve(context.Background(), s.Password)
	if err != nil {
		return nil, err
	}
	base := s.BaseURL
	switch {
	case p.options.Endpoints.Essentials != "":
		base = p.options.Endpoints.Essentials + "/" + s.Stack
	case base == "":
		base = "https://" + s.Stack + ".proofpointessentials.com"
	default:
		if err := p.allowed(base); err != nil {
			return nil, err
		}
	}
	h, err := host(base)
	if err != nil {
		return nil, err
	}
	c, err := essentials.New(essentials.Config{
		BaseURL: base, Stack: s.Stack, User: s.User, Password: password,
		HTTP: transport.Client(p.transport(transport.Options{
			Hosts: []string{h}, Credential: transport.EssentialsPassword(s.User, password), MaxInFlight: 4,
			MaxBody: 512 << 20, // the vendor has no paging: 200,000 accounts are one answer of some 90 MB
		})),
	})
	if err != nil {
		return nil, err
	}
	p.essentials[key] = c
	return c, nil
}

// allowed refuses to send credentials to a host that neither is the vendor's nor was allowed by the operator.
func (p *Pool) allowed(base string) error {
	if p.options.AllowHosts == nil {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return err
	}
	if strings.HasSuffix(u.Hostname(), ".proofpointessentials.com") {
		return nil
	}
	for _, h := range p.options.AllowHosts {
		if h == u.Hostname() {
			return nil
		}
	}
	return fmt.Errorf("base_url names %s, which is not the vendor's and which WEIR_ALLOW_HOSTS does not list", u.Hostname())
}

func (p *Pool) transport(o transport.Options) transport.Options {
	o.Version, o.RootCAs, o.Secrets, o.Sleep = p.options.Version, p.roots, p.options.Redactor, p.options.Sleep
	o.ChangeTimeout, o.Around = p.options.ChangeTimeout, p.options.Around
	return o
}

// host is the host that credentials may go to, with the port unless it is 443.
func host(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%q is not an https address", base)
	}
	return u.Host, nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
