package entra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	kjson "github.com/microsoft/kiota-serialization-json-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// Config says how one tenant's Graph is reached.
type Config struct {
	// BaseURL is the version root, https: "https://graph.microsoft.com/v1.0".
	BaseURL string
	// HTTP carries the bearer token and owns retries, limits and timeouts. It should follow no redirects by itself.
	HTTP *http.Client
	// TenantID is the directory, a GUID; when Graph answers for another one, nothing is believed. "" is not checked.
	TenantID string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Sleep waits between looks at an object that replicas do not show yet; nil really waits.
	Sleep func(context.Context, time.Duration) error
}

// Client speaks to Graph for one tenant. Safe for concurrent use.
type Client struct {
	base    *url.URL
	adapter abstractions.RequestAdapter
	http    *http.Client // what the adapter sends with
	tenant  string
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error

	mu   sync.Mutex
	apps map[string]string // object id of a service principal → its client id, and back
	off  map[string]bool   // by object id of a service principal: it was disabled when last read
	data *directoryData    // of data "directory", read once
	home bool              // the directory that answers was seen to be the tenant's
}

// New returns a client; nothing is sent yet. The vendor's own middleware is left out: its order is random and its retries
// spoil compressed writes, while ours has all of that below.
func New(c Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(c.BaseURL, "/"))
	if err != nil || base.Scheme != "https" || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, fmt.Errorf("microsoft graph: %q is not an https address", c.BaseURL)
	}
	if c.HTTP == nil {
		return nil, errors.New("microsoft graph: no HTTP client")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	next := c.HTTP.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	client := *c.HTTP
	client.Transport = &wire{next: next}
	// The factories are handed over instead of registered: the library's registries are global and not safe for
	// concurrent use.
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, core.GraphClientOptions{},
		kjson.NewJsonParseNodeFactory(), kjson.NewJsonSerializationWriterFactory(), &client)
	if err != nil {
		return nil, fmt.Errorf("microsoft graph: %w", err)
	}
	adapter.SetBaseUrl(base.String())
	return &Client{base: base, adapter: adapter, http: &client, tenant: strings.ToLower(c.TenantID), now: c.Now, sleep: c.Sleep, apps: map[string]string{}, off: map[string]bool{}}, nil
}

// at is an absolute address below the version root.
func (c *Client) at(path string) string { return c.base.String() + path }

// own checks that a link to the next page leads to where the first page came from: it is followed with credentials.
func (c *Client) own(link string) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != c.base.Scheme || !strings.EqualFold(u.Host, c.base.Host) || u.User != nil ||
		!strings.HasPrefix(u.Path, c.base.Path+"/") {
		return errors.New("the link to the next page leads to another host or path")
	}
	return nil
}

// get reads raw JSON by the adapter.
func (c *Client) get(ctx context.Context, link string, eventual bool) ([]byte, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, fmt.Errorf("address of a request: %w", err)
	}
	request := abstractions.NewRequestInformation()
	request.Method = abstractions.GET
	request.SetUri(*u)
	request.Headers.Add("Accept", "application/json")
	if eventual {
		request.Headers.Add("ConsistencyLevel", "eventual")
	}
	answer, err := c.adapter.SendPrimitive(ctx, request, "[]byte", nil)
	if err != nil {
		return nil, err
	}
	body, ok := answer.([]byte)
	if !ok || len(body) == 0 {
		return nil, &answerError{detail: "the answer is empty"}
	}
	return body, nil
}

// bulk reads one page of a long list into body, without the adapter, which would copy it twice.
func (c *Client) bulk(ctx context.Context, link string, eventual bool, body *bytes.Buffer) error {
	body.Reset()
	request, err := http.NewRequestWithContext(context.WithValue(ctx, bulkKey{}, true), http.MethodGet, link, nil)
	if err != nil {
		return fmt.Errorf("address of a request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if eventual {
		request.Header.Set("ConsistencyLevel", "eventual")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if _, err := body.ReadFrom(response.Body); err != nil {
		return err
	}
	if len(bytes.TrimSpace(body.Bytes())) == 0 {
		return &answerError{detail: "the answer is empty"}
	}
	return nil
}

// bulkKey marks the requests whose answer is looked through by whoever reads it.
type bulkKey struct{}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// patience is how often an object that replicas do not show yet is looked for: with pauses of 1, 2, 4, 8 and then 10
// seconds about a minute, the delay that is usual after creation (seen in clients; waits of many minutes were reported,
// and then the next run goes on).
const patience = 9

// eventually calls do until it succeeds or fails for good; again says which errors may pass.
func (c *Client) eventually(ctx context.Context, do func() error, again func(error) bool) error {
	pause := time.Second
	for n := 1; ; n++ {
		err := do()
		if err == nil || !again(err) || n == patience {
			return err
		}
		if c.sleep(ctx, pause) != nil {
			return err
		}
		pause = min(2*pause, 10*time.Second)
	}
}
