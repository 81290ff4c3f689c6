package essentials

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// Config says which stack a Client speaks to and as whom.
type Config struct {
	// BaseURL is the root of the stack, "https://us1.proofpointessentials.com", or of a white-label host; "" derives it
	// from Stack. A path "/api/v1" at its end is accepted. It must be https.
	BaseURL string
	// Stack is us1 … us5 or eu1.
	Stack string
	// User is an administrator's address, Password that account's local Essentials password.
	User, Password string
	// HTTP sends the requests; its transport retries what may be repeated, limits and redacts. nil means
	// http.DefaultClient.
	HTTP *http.Client
}

// Client calls the Interface API of one stack. Safe for concurrent use.
type Client struct {
	base           *url.URL
	stack          string
	user, password string
	http           *http.Client
}

// Stacks are the vendor's published stacks (vendor page "Azure Active Directory (Entra ID) Sync Guide").
var Stacks = []string{"us1", "us2", "us3", "us4", "us5", "eu1"}

// New checks the configuration and makes a client; it sends nothing.
func New(cfg Config) (*Client, error) {
	base := cfg.BaseURL
	if base == "" {
		if cfg.Stack == "" {
			return nil, errors.New("essentials provider: write stack (us1 … us5, eu1) or base_url")
		}
		base = "https://" + cfg.Stack + ".proofpointessentials.com"
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("essentials provider: base_url %q is no URL such as https://us1.proofpointessentials.com", base)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("essentials provider: base_url %q must be https, since every request carries the password", base)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("essentials provider: base_url must not carry a user, a query or a fragment")
	}
	if !strings.HasSuffix(u.Path, "/api/v1") {
		u.Path += "/api/v1"
	}
	if cfg.User == "" || cfg.Password == "" {
		return nil, errors.New("essentials provider: user and password are required")
	}
	if strings.ContainsAny(cfg.User+cfg.Password, "\r\n\x00") {
		return nil, errors.New("essentials provider: user and password must not contain line breaks")
	}
	client := http.Client{}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	// X-Password would follow a redirect to any host.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: u, stack: cfg.Stack, user: cfg.User, password: cfg.Password, http: &client}, nil
}

// call is one request of the API.
type call struct {
	// op is the call in words, subject the object that it is about; both for errors.
	op, subject string
	method      string
	// org is the organization that the path addresses, lower case; "" when none.
	org string
	// path are the unescaped segments below /api/v1.
	path []string
	// body is encoded as JSON; nil sends none.
	body any
	// secrets are values in the body that must not be repeated in an error.
	secrets []string
	// once keeps the transport from repeating a change whose answer was lost: a POST, a rename, a purchase. Other changes
	// set whole values or delete.
	once bool
}

// orgCall addresses an organization and what is below it.
func orgCall(op, method, org string, below ...string) *call {
	subject := org
	if len(below) > 0 {
		subject = below[len(below)-1] + " of " + org
	}
	return &call{op: op, subject: subject, method: method, org: strings.ToLower(org), path: append([]string{"orgs", org}, below...)}
}

func (c *call) about(subject string) *call { c.subject = subject; return c }

func (c *call) notRepeated() *call { c.once = true; return c }

func (c *call) with(body any) *call { c.body = body; return c }

func (c *call) hide(secrets ...string) *call { c.secrets = append(c.secrets, secrets...); return c }

// maxErrorBody bounds what is read of an error answer, bytes.
const maxErrorBody = 64 << 10

// read sends a GET and decodes its 200.
func (c *Client) read(ctx context.Context, q *call, decode func(io.Reader) error) error {
	resp, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxErrorBody))
		return unreadable(q, resp.StatusCode, fmt.Errorf("expected HTTP 200"))
	}
	if err := decode(resp.Body); err != nil {
		return unreadable(q, resp.StatusCode, err)
	}
	return nil
}

// change sends a changing call and returns its status and body. A body that is no JSON is in doubt: the portal's own
// pages answer 200 too.
func (c *Client) change(ctx context.Context, q *call) (int, []byte, error) {
	resp, err := c.send(ctx, q)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, nil, &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrAmbiguous, Status: resp.StatusCode,
			Err: err, Detail: "the answer broke off"}
	}
	body = bytes.TrimSpace(body)
	if len(body) > 0 && !json.Valid(body) {
		return resp.StatusCode, nil, unreadable(q, resp.StatusCode, fmt.Errorf("no JSON: %s", clip(string(body))))
	}
	return resp.StatusCode, body, nil
}

// do is change for calls of whose answer only errors matter.
func (c *Client) do(ctx context.Context, q *call) error {
	status, body, err := c.change(ctx, q)
	if err != nil {
		return err
	}
	return c.within(q, status, body)
}

// within finds the errors that an answer holds although it says success, as those of a list do (seen in clients). What
// names no status of its own may have taken effect.
func (c *Client) within(q *call, status int, body []byte) error {
	var w wireErrors
	if len(body) == 0 || json.Unmarshal(body, &w) != nil {
		return nil // an answer in another form says nothing of errors
	}
	said := wireError{ErrorMessage: w.ErrorMessage}
	if said.ErrorMessage == "" {
		said.ErrorMessage = w.Error
	}
	if len(w.Errors) > 0 {
		said = w.Errors[0]
	} else if said.ErrorMessage == "" {
		return nil
	}
	e := &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrAmbiguous, Status: status,
		Detail: "the answer says success and holds an error: " + c.scrub(q, clip(string(said.ErrorMessage)))}
	if said.Status.value >= 400 {
		e.Kind, e.Status = batchKind(said.Status.value), said.Status.value
	}
	return e
}

// send returns an answer with a 2xx status, or a *resource.Error.
func (c *Client) send(ctx context.Context, q *call) (*http.Response, error) {
	req, err := c.request(ctx, q)
	if err != nil {
		return nil, &resource.Error{Op: q.op, Subject: q.subject, Err: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unanswered(ctx, q, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what arrived is enough for a message
	return nil, c.refused(ctx, q, resp, body)
}

func (c *Client) request(ctx context.Context, q *call) (*http.Request, error) {
	if q.method != http.MethodGet && q.method != http.MethodPost && !q.once {
		ctx = transport.Repeatable(ctx)
	}
	u := *c.base
	var escaped strings.Builder
	escaped.WriteString(u.EscapedPath())
	for _, s := range q.path {
		if s == "" || s == "." || s == ".." {
			return nil, fmt.Errorf("%q cannot be part of an address", s)
		}
		u.Path += "/" + s
		escaped.WriteString("/" + url.PathEscape(s))
	}
	u.RawPath = escaped.String()
	var body io.Reader
	if q.body != nil {
		encoded, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-User", c.user)         // vendor API guide
	req.Header.Set("X-Password", c.password) // vendor API guide
	// Sent by two unrelated clients; presumably "terms accepted" (meaning inferred).
	req.Header.Set("X-Terms-Update", "true")
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// unanswered is the error of a call without an answer.
func (c *Client) unanswered(ctx context.Context, q *call, err error) error {
	// The URL that http.Client puts into its errors adds nothing to op and subject.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	e := &resource.Error{Op: q.op, Subject: q.subject, Kind: resource.ErrUnavailable, Err: err, Detail: c.scrub(q, err.Error())}
	if q.method != http.MethodGet && lost(err) {
		e.Kind = resource.ErrAmbiguous
	}
	if ctx.Err() == nil && e.Kind == resource.ErrUnavailable {
		e.Hint = "Check that " + c.base.Host + " can be reached"
	}
	return e
}

// refused is the error of an answer outside 2xx.
func (c *Client) refused(ctx context.Context, q *call, resp *http.Response, body []byte) error {
	said := parseError(body)
	e := &resource.Error{Op: q.op, Subject: q.subject, Kind: kindOf(resp.StatusCode), Status: resp.StatusCode,
		Request: clip(resp.Header.Get("X-Correlator")), Detail: c.scrub(q, said.message), Hint: hintOf(resp.StatusCode)}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return c.settle404(ctx, q, e, said)
	case resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented && q.method == http.MethodPost:
		// A failure inside the vendor may come after the object was made.
		e.Err = resource.ErrUnavailable
		e.Kind = resource.ErrAmbiguous
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		e.Detail = "the host redirects instead of answering"
		e.Hint = "Write the host that serves the organization as base_url or stack"
	}
	return e
}

// settle404 decides whether a 404 means that the object does not exist. It does when the body is an error object of the
// API and names the addressed object. One that names something else, or nothing, may be about the organization, which is
// read to find out. A 404 from anything else (a proxy's page, a wrong path) is unknown.
func (c *Client) settle404(ctx context.Context, q *call, e *resource.Error, said vendorError) error {
	if !said.shaped {
		e.Detail = "HTTP 404 from something that is not the Essentials API"
		e.Hint = "Check base_url"
		return e
	}
	object := strings.ToLower(q.path[len(q.path)-1])
	switch {
	case q.org == "":
		e.Kind = resource.ErrAbsent
	case len(q.path) == 2: // orgs/{d} itself
		if said.identifier == "" || said.identifier == q.org {
			e.Kind, e.Err = resource.ErrAbsent, errNoOrganization
		}
	case said.identifier == object && object != q.org:
		e.Kind = resource.ErrAbsent
	default:
		_, err := c.organization(ctx, q.org)
		switch {
		case err == nil:
			e.Kind = resource.ErrAbsent
		case errors.Is(err, errNoOrganization):
			e.Kind, e.Err = resource.ErrAbsent, errNoOrganization
		default:
			e.Err = err
		}
	}
	return e
}

// errNoOrganization is in the chain of an ErrAbsent when the whole organization does not exist.
var errNoOrganization = errors.New("the organization does not exist")

// scrub takes secrets out of what a vendor or a transport says.
func (c *Client) scrub(q *call, s string) string {
	for _, secret := range append([]string{c.password}, q.secrets...) {
		if len(secret) >= 4 {
			s = strings.ReplaceAll(s, secret, "***")
			s = strings.ReplaceAll(s, url.QueryEscape(secret), "***")
		}
	}
	return s
}

// clientOf is the connection's Essentials client and the organization's primary domain.
func clientOf(conn *resource.Conn) (*Client, string, error) {
	c, err := resource.Client[*Client](conn)
	if err != nil {
		return nil, "", err
	}
	if conn.Tenant.PrimaryDomain == "" {
		return nil, "", fmt.Errorf("tenant %q has no primary_domain, by which Essentials addresses the organization", conn.Tenant.Key)
	}
	return c, strings.ToLower(conn.Tenant.PrimaryDomain), nil
}
