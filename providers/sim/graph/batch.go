package graph

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// maxBatch is the documented number of requests in one batch.
const maxBatch = 20

// batchItem is one request of a batch.
type batchItem struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

// batchAnswer is one response of a batch.
type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// decodeBatch reads a batch and puts its items in an order that respects dependsOn.
func decodeBatch(raw []byte) ([]batchItem, error) {
	var in struct {
		Requests []batchItem `json:"requests"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, batchRefused("Invalid batch payload format.")
	}
	switch n := len(in.Requests); {
	case n == 0:
		return nil, batchRefused("Invalid batch payload format: 'requests' is missing or empty.")
	case n > maxBatch:
		return nil, batchRefused("Number of batch request steps exceeds the maximum value of %d.", maxBatch)
	}
	at := map[string]int{}
	for i, r := range in.Requests {
		key := strings.ToLower(r.ID) // ids are unique without regard to case
		if r.ID == "" || r.Method == "" || r.URL == "" {
			return nil, batchRefused("Invalid batch payload format: each request needs id, method and url.")
		}
		if _, twice := at[key]; twice {
			return nil, batchRefused("Request Id has to be unique in a batch: '%s' occurs twice.", r.ID)
		}
		at[key] = i
	}
	var order []batchItem
	state := make([]int, len(in.Requests)) // 1 being placed, 2 placed
	var place func(i int) error
	place = func(i int) error {
		switch state[i] {
		case 1:
			return batchRefused("Batch request '%s' depends on itself.", in.Requests[i].ID)
		case 2:
			return nil
		}
		state[i] = 1
		for _, d := range in.Requests[i].DependsOn {
			j, ok := at[strings.ToLower(d)]
			if !ok {
				return batchRefused("Batch request '%s' depends on '%s', which is not in the batch.", in.Requests[i].ID, d)
			}
			if err := place(j); err != nil {
				return err
			}
		}
		state[i] = 2
		order = append(order, in.Requests[i])
		return nil
	}
	for i := range in.Requests {
		if err := place(i); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func batchRefused(format string, args ...any) *fault {
	return &fault{status: http.StatusBadRequest, code: "BadRequest", message: fmt.Sprintf(format, args...)}
}

// batch answers POST /$batch. It takes the lock once per item, so other requests come in between, as they do.
func (s *server) batch(in *incoming, requestID string) *reply {
	s.w.RLock()
	_, t, f := s.authenticate(in.header.Get("Authorization"))
	s.w.RUnlock()
	if f != nil {
		return s.refuse(in, f, requestID)
	}
	world.Annotate(in.ctx, func(c *world.Call) { c.Tenant, c.Operation = t.ID, "POST /$batch" })
	items, err := decodeBatch(in.body)
	if err != nil {
		return s.refuse(in, asFault(err), requestID)
	}
	done := map[string]int{} // id in lower case → status
	var answers []batchAnswer
	var what []string
	for _, item := range items {
		call := &world.Call{}
		a := s.batchOne(in, item, done, call)
		done[strings.ToLower(item.ID)] = a.Status
		answers = append(answers, a)
		what = append(what, call.Operation)
		world.Annotate(in.ctx, func(c *world.Call) {
			c.Changing = c.Changing || call.Changing
			c.Unimplemented = c.Unimplemented || call.Unimplemented
			c.Detail = strings.Join(what, "; ")
		})
	}
	// The order of responses is not that of the requests; a client that relies on it should find out.
	slices.Reverse(answers)
	out, err := jsonReply(http.StatusOK, map[string]any{"responses": answers})
	if err != nil {
		return s.refuse(in, asFault(err), requestID)
	}
	return out
}

func (s *server) batchOne(in *incoming, item batchItem, done map[string]int, call *world.Call) batchAnswer {
	sub := &incoming{ctx: world.WithCall(in.ctx, call), method: strings.ToUpper(item.Method), base: in.base, header: http.Header{}}
	for k, v := range item.Headers {
		sub.header.Set(k, v)
	}
	if sub.header.Get("Authorization") == "" {
		sub.header.Set("Authorization", in.header.Get("Authorization"))
	}
	requestID := s.requestID()
	refuse := func(f *fault) batchAnswer { return batchAnswerOf(item.ID, s.refuse(sub, f, requestID)) }
	for _, d := range item.DependsOn {
		if done[strings.ToLower(d)] >= 400 {
			return refuse(&fault{status: http.StatusFailedDependency, code: "FailedDependency",
				message: fmt.Sprintf("Request '%s' was not run: it depends on '%s', which failed.", item.ID, d)})
		}
	}
	u, err := url.Parse(item.URL)
	if err != nil || u.IsAbs() || u.Host != "" {
		return refuse(batchRefused("Invalid URL '%s': want one relative to the version.", item.URL))
	}
	sub.path = "/v1.0/" + strings.TrimPrefix(u.EscapedPath(), "/")
	sub.query = u.RawQuery
	if strings.Contains(strings.ToLower(u.Path), "$batch") {
		return refuse(batchRefused("A batch cannot contain another batch."))
	}
	if len(item.Body) > 0 && string(item.Body) != "null" {
		if sub.header.Get("Content-Type") == "" {
			return refuse(batchRefused("Request '%s' has a body and needs a Content-Type header.", item.ID))
		}
		sub.body = item.Body
	}
	return batchAnswerOf(item.ID, s.answer(sub, requestID))
}

func batchAnswerOf(id string, r *reply) batchAnswer {
	a := batchAnswer{ID: id, Status: r.status, Headers: map[string]string{}}
	for k, v := range r.header {
		a.Headers[k] = v[0]
	}
	if len(r.body) == 0 {
		return a
	}
	a.Body = r.body
	if strings.HasPrefix(a.Headers["Content-Type"], "text/") {
		a.Body = appendText(nil, string(r.body))
	} else {
		a.Headers["Content-Type"] = contentType
	}
	return a
}
