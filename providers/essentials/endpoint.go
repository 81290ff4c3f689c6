package essentials

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/resource"
)

// ReadStacks says which stacks hold a domain (us1 … eu1, sorted); any stack may be asked about any domain, and later calls
// must go to one of them (vendor API guide). A host that is no vendor's own, of a white-labelled console, is left out. The
// shape of the elements, addresses of consoles, is inferred.
func ReadStacks(ctx context.Context, conn *resource.Conn, domain string) ([]string, error) {
	c, _, err := clientOf(conn)
	if err != nil {
		return nil, err
	}
	var all []string
	q := &call{op: "find the stack", subject: domain, method: http.MethodGet, path: []string{"endpoints", domain}}
	if err := c.read(ctx, q, func(r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if json.Unmarshal(data, &all) == nil {
			return nil
		}
		var wrapped struct {
			Endpoints *[]string `json:"endpoints"`
		}
		if err := json.Unmarshal(data, &wrapped); err != nil {
			return err
		}
		if wrapped.Endpoints == nil {
			return errors.New("no endpoints in the answer")
		}
		all = *wrapped.Endpoints
		return nil
	}); err != nil {
		return nil, err
	}
	var out []string
	for _, e := range all {
		host := strings.ToLower(e)
		if u, err := url.Parse(host); err == nil && u.Host != "" {
			host = u.Hostname()
		}
		if stack, ok := strings.CutSuffix(host, ".proofpointessentials.com"); ok {
			out = append(out, stack)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
