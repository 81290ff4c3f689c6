package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// Config says which tenant a Client speaks to, and how.
type Config struct {
	// BaseURL is https and a host, "https://outlook.office365.com"; "" is that one.
	BaseURL string
	// TenantID is the GUID of the Entra tenant.
	TenantID string
	// HTTP sends the requests. Its transport writes the bearer token, repeats what may be repeated, follows the regional
	// redirect with method and body, and understands the 403 that only pretends to be gzip. Required.
	HTTP *http.Client
}

// Client calls the administrative interface of one tenant. Safe for concurrent use.
type Client struct {
	base   *url.URL
	tenant string
	http   *http.Client
}

const (
	vendorURL = "https://outlook.office365.com"
	// pageSize is the default of the service and the largest page that clients ask for.
	pageSize = 1000
	// maxPages bounds a listing that never ends.
	maxPages = 10000
	// maxErrorBody is how much of an error answer is read, bytes.
	maxErrorBody = 64 << 10
)

var tenantForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// New checks the configuration and makes a client; it sends nothing.
func New(cfg Config) (*Client, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = vendorURL
	}
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("exchange: base address %q is not https and a host, such as %s", cfg.BaseURL, vendorURL)
	}
	tenant := strings.ToLower(strings.TrimSpace(cfg.TenantID))
	if !tenantForm.MatchString(tenant) {
		return nil, fmt.Errorf("exchange: tenant id %q is not the GUID of an Entra tenant", cfg.TenantID)
	}
	if cfg.HTTP == nil {
		return nil, errors.New("exchange: an HTTP client with a credential is required")
	}
	u.Path = ""
	return &Client{base: u, tenant: tenant, http: cfg.HTTP}, nil
}

// call is one cmdlet with its parameters.
type call struct {
	// op is the call in words, subject the object that it is about; both for errors.
	op, subject string
	cmdlet      string
	parameters  map[string]any
	// fields are the properties to return; nil returns all.
	fields []string
	// each reads one object of a list that may be long, and returns what tells it apart; nil keeps the objects as rows.
	each func(*jsonstream.Reader) (string, error)
}

func (q *call) changes() bool { return !strings.HasPrefix(q.cmdlet, "Get-") }

// sized are the cmdlets that stop at 1000 results unless told otherwise (Microsoft, cmdlet reference, -ResultSize).
var sized = map[string]bool{
	"Get-InboundConnector": true, "Get-OutboundConnector": true, "Get-TransportRule": true,
	"Get-Mailbox": true, "Get-DynamicDistributionGroup": true,
}

// result is what a cmdlet returned, over all pages.
type result struct {
	rows     []row
	warnings []string
	// at is when the service answered the first page, by its own clock; zero when it does not say.
	at time.Time
}

// invoke runs one cmdlet and reads every page. For a Get- cmdlet an error means that nothing is known; a list that was
// cut off, shows an object twice or does not end is an error too. A changing cmdlet whose answer was lost, or is none of
// the service's, has resource.ErrAmbiguous in the chain.
func (c *Client) invoke(ctx context.Context, q *call) (*result, error) {
	parameters := make(map[string]any, len(q.parameters)+1)
	for name, value := range q.parameters {
		parameters[name] = value
	}
	if sized[q.cmdlet] {
		parameters["ResultSize"] = "Unlimited"
	}
	body, err := json.Marshal(map[string]any{"CmdletInput": map[string]any{"CmdletName": q.cmdlet, "Parameters": parameters}})
	if err != nil {
		return nil, &resource.Error{Op: q.op, Subject: q.subject, Err: err}
	}
	if !q.changes() {
		ctx = transport.Reading(ctx)
	}
	target := *c.base
	target.Path = c.path()
	if q.fields != nil {
		target.RawQuery = "$select=" + url.QueryEscape(strings.Join(q.fields, ","))
	}
	out := &result{}
	links, seen := map[string]bool{}, map[rowKey]bool{}
	at := target.String()
	for page := 1; ; page++ {
		a, answered, err := c.post(ctx, q, at, body)
		if err != nil {
			return nil, err
		}
		if page == 1 {
			out.at = a.at
		}
		out.warnings = append(out.warnings, a.warnings...)
		for _, key := range a.keys {
			if q.changes() {
				break
			}
			if seen[key] {
				return nil, unreadable(q, "the list shows an object twice, so it may lack another; read again")
			}
			seen[key] = true
		}
		out.rows = append(out.rows, a.rows...)
		if a.next == "" {
			break
		}
		if q.changes() {
			return nil, unreadable(q, "the answer to a change has a next page")
		}
		if links[a.next] || page >= maxPages {
			return nil, unreadable(q, "the list of pages does not end")
		}
		links[a.next] = true
		if err := c.follows(a.next, answered); err != nil {
			return nil, unreadable(q, err.Error())
		}
		at = a.next
	}
	if !q.changes() {
		for _, w := range out.warnings {
			// The warning of a list that was cut off names the parameter that would have helped.
			if strings.Contains(strings.ToLower(w), "resultsize") {
				return nil, unreadable(q, "the list was cut off: "+clean(w))
			}
		}
	}
	return out, nil
}

func (c *Client) path() string { return "/adminapi/beta/" + c.tenant + "/InvokeCommand" }

// follows checks that the next page is at the host that was asked, or at the regional one that answered: the token goes
// nowhere else.
func (c *Client) follows(link string, answered *url.URL) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.User != nil {
		return errors.New("the link to the next page is no https address")
	}
	if !strings.EqualFold(u.Host, c.base.Host) && (answered == nil || !strings.EqualFold(u.Host, answered.Host)) {
		return fmt.Errorf("the link to the next page leads to another host, %s", clean(u.Host))
	}
	if !strings.EqualFold(u.Path, c.path()) {
		return errors.New("the link to the next page leads to another address")
	}
	return nil
}

// post sends the request and reads one page. answered is the address that answered, behind redirects.
func (c *Client) post(ctx context.Context, q *call, at string, body []byte) (*answer, *url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(body))
	if err != nil {
		return nil, nil, &resource.Error{Op: q.op, Subject: q.subject, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	// Errors and warnings are told apart by their text too.
	req.Header.Set("Accept-Language", "en-US")
	req.Header.Set("Prefer", fmt.Sprintf("odata.maxpagesize=%d", pageSize))
	req.Header.Set("X-CmdletName", q.cmdlet)
	req.Header.Set("X-AnchorMailbox", "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"+c.tenant)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, unanswered(q, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what arrived is enough for a message
		return nil, nil, refused(q, resp, said)
	}
	if resp.StatusCode == http.StatusNoContent && q.changes() {
		// One client tolerates it as the answer to a change.
		return &answer{}, nil, nil
	}
	a, err := readAnswer(jsonstream.New(resp.Body), q.each)
	if err != nil {
		return nil, nil, unreadable(q, err.Error())
	}
	a.warnings = append(a.warnings, resp.Header.Values("X-Warnings")...)
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.at = at.UTC()
	}
	var answered *url.URL
	if resp.Request != nil {
		answered = resp.Request.URL
	}
	return a, answered, nil
}

// row is one object of an answer, without the annotations.
type row map[string]json.RawMessage

// rowKey tells objects of one answer apart.
type rowKey [16]byte

// rowKeyOf is of the Guid, or of whatever else tells an object apart.
func rowKeyOf(key string) rowKey {
	if id, err := uuid.Parse(key); err == nil {
		return rowKey(id)
	}
	sum := sha256.Sum256([]byte(key))
	return rowKey(sum[:16])
}

func (r row) key() string {
	if id, err := r.text("Guid"); err == nil && id != "" {
		return id
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return string(raw)
}

// answer is one page.
type answer struct {
	rows     []row
	keys     []rowKey
	next     string
	warnings []string
	at       time.Time // by the service's clock
}

// parseAnswer reads the body of a success into rows.
func parseAnswer(raw []byte) (*answer, error) {
	return readAnswer(jsonstream.New(bytes.NewBuffer(raw)), nil)
}

// readAnswer reads the body of a success. A body without the list of objects, or with an error in it, is none. each, when
// not nil, reads the objects instead; after an error nothing that it read counts.
func readAnswer(r *jsonstream.Reader, each func(*jsonstream.Reader) (string, error)) (*answer, error) {
	a := &answer{}
	listed := false
	var failure, failures []byte
	var object error // of each
	err := r.Object(func(name []byte) (err error) {
		switch string(name) {
		case "value":
			if listed = !r.Null(); !listed {
				return nil
			}
			return r.Array(func() error {
				if r.Null() {
					object = errors.New("the list of objects holds a null")
					return object
				}
				if each != nil {
					key, err := each(r)
					object = err
					a.keys = append(a.keys, rowKeyOf(key))
					return err
				}
				one, err := readRow(r)
				a.rows, a.keys = append(a.rows, one), append(a.keys, rowKeyOf(one.key()))
				return err
			})
		case "@odata.nextLink":
			a.next, err = r.String()
		case "@adminapi.warnings":
			a.warnings, err = r.Strings()
		case "@adminapi.errors":
			failures, err = r.Raw()
			failures = bytes.Clone(failures)
		case "error":
			failure, err = r.Raw()
			failure = bytes.Clone(failure)
		}
		return err
	})
	if err == nil {
		err = r.End()
	}
	var all []any
	if err == nil && failures != nil {
		err = json.Unmarshal(failures, &all)
	}
	switch {
	case object != nil:
		return nil, object
	case err != nil:
		return nil, fmt.Errorf("the answer is not one of Exchange Online: %w", err)
	case len(failure) > 0 && string(failure) != "null":
		return nil, fmt.Errorf("the answer says success and holds an error: %s", clean(parseFailure(slices.Concat([]byte(`{"error":`), failure, []byte("}"))).message))
	case len(all) > 0:
		return nil, fmt.Errorf("the answer holds errors: %s", clean(fmt.Sprint(all...)))
	case !listed:
		return nil, errors.New("the answer has no list of objects")
	}
	return a, nil
}

// readRow reads one object, without the annotations.
func readRow(r *jsonstream.Reader) (row, error) {
	out := row{}
	return out, r.Object(func(name []byte) error {
		if bytes.IndexByte(name, '@') >= 0 {
			return nil
		}
		key := string(name)
		raw, err := r.Raw()
		out[key] = bytes.Clone(raw)
		return err
	})
}
