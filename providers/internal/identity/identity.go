package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/weir-project/weir/providers/internal/transport"
)

// The kinds of credential, as a provider block spells them.
const (
	// Secret signs in with ClientID and Secret.
	Secret = "secret"
	// Certificate signs in with ClientID and the certificate and RSA key in CertificatePath.
	Certificate = "certificate"
	// Federated signs in with ClientID and a token of an identity provider that the application trusts: the file that
	// AZURE_FEDERATED_TOKEN_FILE names (Kubernetes), else the job's own token (GitHub Actions).
	Federated = "federated"
	// ManagedIdentity is the identity of the Azure machine; ClientID chooses among several.
	ManagedIdentity = "managed_identity"
	// AzureCLI is whoever ran "az login".
	AzureCLI = "azure_cli"
)

// Options say who signs in, and where.
type Options struct {
	// Kind is one of the constants above.
	Kind string
	// TenantID is the directory to sign in to: a GUID, or a verified domain.
	TenantID string
	ClientID string
	// Secret is the value of a client secret, for Kind Secret. It is registered for redaction.
	Secret string
	// CertificatePath is a PEM or PKCS #12 file without password, for Kind Certificate.
	CertificatePath string
	// Authority is the token service, https; "" is Microsoft's public one. With an authority of one's own nothing is
	// asked of the public service.
	Authority string
	// Transport sends the requests for tokens, and repeats what fails: azidentity then does not, so that one patience
	// counts. nil is azidentity's own client.
	Transport *http.Client
	// Simulated says that Authority is a simulator's: credentials of this machine, which it cannot know, are refused.
	Simulated bool

	// Getenv reads the environment; nil is os.Getenv.
	Getenv func(string) string
}

// maxFile is more than any certificate or token needs, in bytes.
const maxFile = 1 << 20

// New returns the credential. Nothing is sent yet. Errors say which option is wrong and never hold a secret; those of the
// credential are *Error.
func New(o Options) (azcore.TokenCredential, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.TenantID == "" {
		return nil, errors.New("credential: no directory to sign in to; the tenant needs entra_tenant_id")
	}
	options := azcore.ClientOptions{}
	if o.Transport != nil {
		options.Transport = reading{o.Transport}
		options.Retry.MaxRetries = -1
	}
	if o.Authority != "" {
		u, err := url.Parse(o.Authority)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			return nil, errors.New("credential: the authority must be an https address such as https://login.microsoftonline.com")
		}
		options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: o.Authority, Services: map[cloud.ServiceName]cloud.ServiceConfiguration{}}
	}
	if o.Simulated && o.Authority == "" {
		return nil, errors.New("credential: a simulated run needs the address of the simulator's token service")
	}
	needsID := map[string]bool{Secret: true, Certificate: true, Federated: true}
	if needsID[o.Kind] && o.ClientID == "" {
		return nil, fmt.Errorf("credential %q: client_id is missing", o.Kind)
	}
	transport.ProcessSecrets().Add(o.Secret)
	credential, err := o.make(options)
	if err != nil {
		return nil, fmt.Errorf("credential %q: %s", o.Kind, transport.Redact(err.Error()))
	}
	return explained{credential, o.TenantID}, nil
}

// reading sends requests that only read: a token may be asked for as often as one likes.
type reading struct{ client *http.Client }

// Do implements policy.Transporter.
func (r reading) Do(request *http.Request) (*http.Response, error) {
	response, err := r.client.Do(request.WithContext(transport.Reading(request.Context())))
	if err != nil {
		note(request, err)
	}
	return response, err
}

func (o Options) make(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	// With instance discovery on, azidentity asks the public service about every authority that it does not know.
	alone := o.Authority != ""
	switch o.Kind {
	case Secret:
		if o.Secret == "" {
			return nil, errors.New("client_secret is missing or empty")
		}
		return azidentity.NewClientSecretCredential(o.TenantID, o.ClientID, o.Secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: alone})
	case Certificate:
		data, err := readFile(o.CertificatePath)
		if err != nil {
			return nil, fmt.Errorf("certificate_path: %w", err)
		}
		certificates, key, err := azidentity.ParseCertificates(data, nil)
		if err != nil {
			// The library's text may quote the file.
			return nil, fmt.Errorf("%s holds no certificate with an RSA key that can be read without a password", o.CertificatePath)
		}
		return azidentity.NewClientCertificateCredential(o.TenantID, o.ClientID, certificates, key,
			&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: alone})
	case Federated:
		assertion, err := o.assertion()
		if err != nil {
			return nil, err
		}
		return azidentity.NewClientAssertionCredential(o.TenantID, o.ClientID, assertion,
			&azidentity.ClientAssertionCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: alone})
	case ManagedIdentity:
		if o.Simulated {
			return nil, errors.New("a simulator does not know the identity of this machine; use \"secret\", \"certificate\" or \"federated\"")
		}
		m := &azidentity.ManagedIdentityCredentialOptions{}
		if o.ClientID != "" {
			m.ID = azidentity.ClientID(o.ClientID)
		}
		return azidentity.NewManagedIdentityCredential(m) // its endpoint is the machine's own, not the authority
	case AzureCLI:
		if o.Simulated {
			return nil, errors.New("a simulator does not know who signed in to the Azure CLI; use \"secret\", \"certificate\" or \"federated\"")
		}
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: o.TenantID})
	case "":
		return nil, errors.New("the kind of credential is missing: secret, certificate, federated, managed_identity or azure_cli")
	}
	return nil, errors.New("unknown kind of credential; known are secret, certificate, federated, managed_identity and azure_cli")
}

// assertion finds the token that the application trusts. It is fetched anew for each sign-in: such tokens live for
// minutes.
func (o Options) assertion() (func(context.Context) (string, error), error) {
	if path := o.Getenv("AZURE_FEDERATED_TOKEN_FILE"); path != "" {
		return func(context.Context) (string, error) {
			data, err := readFile(path)
			if err != nil {
				return "", fmt.Errorf("AZURE_FEDERATED_TOKEN_FILE: %w", err)
			}
			token := strings.TrimSpace(string(data))
			transport.ProcessSecrets().Add(token)
			return token, nil
		}, nil
	}
	address, token := o.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), o.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
	if address == "" || token == "" {
		return nil, errors.New("no federated token: set AZURE_FEDERATED_TOKEN_FILE, or give the GitHub Actions job \"permissions: id-token: write\"")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is not an https address")
	}
	transport.ProcessSecrets().Add(token)
	query := u.Query()
	query.Set("audience", "api://AzureADTokenExchange")
	u.RawQuery = query.Encode()
	client := &http.Client{Timeout: 30 * time.Second}
	if o.Simulated && o.Transport != nil {
		client = o.Transport
	}
	return func(ctx context.Context) (string, error) { return jobToken(ctx, client, u.String(), token) }, nil
}

// jobToken asks for the identity token of a GitHub Actions job. The form of request and answer is that of GitHub's
// "OpenID Connect" pages.
func jobToken(ctx context.Context, client *http.Client, address, token string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", errors.New("the job's identity token cannot be asked for: ACTIONS_ID_TOKEN_REQUEST_URL is no address")
	}
	request.Header.Set("Authorization", "bearer "+token)
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		var u *url.Error // its text has the whole address
		if errors.As(err, &u) {
			err = u.Err
		}
		return "", fmt.Errorf("the job's identity token: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // read whole, or an error has been told
	body, err := io.ReadAll(io.LimitReader(response.Body, maxFile))
	if err != nil {
		return "", fmt.Errorf("the job's identity token: %w", err)
	}
	var answer struct{ Value string }
	if err := json.Unmarshal(body, &answer); err != nil || response.StatusCode != http.StatusOK || answer.Value == "" {
		return "", fmt.Errorf("the job's identity token: the service answered %d without one", response.StatusCode)
	}
	transport.ProcessSecrets().Add(answer.Value)
	return answer.Value, nil
}

// readFile reads a regular file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	if path == "" {
		return nil, errors.New("no file is named")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFile)
	}
	return io.ReadAll(f)
}
