package exchange

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

// maxBatch is the number of parts that clients send at most; that it is a limit is inferred.
const maxBatch = 10

type batchRequest struct {
	Requests []batchPart `json:"requests"`
}

type batchPart struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

type batchResponse struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// batch runs up to ten cmdlets in order; they are independent, and the outer status is 200 whatever became of them.
func (s *server) batch(rw http.ResponseWriter, r *http.Request, tenant string) *reply {
	if r.Method != http.MethodPost {
		return plain(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+r.Method+"'.")
	}
	if !strings.Contains(strings.ToLower(r.Header.Get("Accept")), "application/json") {
		return unimplemented(r, "a multipart batch answer; send Accept: application/json")
	}
	body, failed := readBody(rw, r)
	if failed != nil {
		return failed
	}
	var request batchRequest
	err := json.Unmarshal(body, &request)
	inputs := make([]input, len(request.Requests))
	wrong := make([]*failure, len(request.Requests))
	changing, names := false, []string{}
	for i, part := range request.Requests {
		inputs[i], wrong[i] = decode(part.Body)
		c := s.find(inputs[i])
		changing = changing || c != nil && c.changes && !inputs[i].whatIf()
		names = append(names, inputs[i].CmdletName)
	}
	annotate(r, func(call *world.Call) {
		call.Tenant, call.Operation, call.Changing, call.Detail = tenant, "$batch", changing, strings.Join(names, " ")
	})
	unlock := s.lock(changing)
	defer unlock()
	who, refused := s.authenticate(r, tenant)
	if refused != nil {
		return refused
	}
	annotate(r, func(call *world.Call) { call.Tenant = who.tenant.ID })
	if err != nil {
		return refuse(r, bad(typeArgument, "The batch is not valid JSON: %v", err))
	}
	if len(request.Requests) == 0 || len(request.Requests) > maxBatch {
		return refuse(r, bad(typeArgument, "A batch has 1 to %d requests, this one has %d.", maxBatch, len(request.Requests)))
	}
	seen := map[string]bool{}
	for _, part := range request.Requests {
		if part.ID == "" || seen[part.ID] {
			return refuse(r, bad(typeArgument, "The request id '%s' of a batch part is empty or used twice.", part.ID))
		}
		seen[part.ID] = true
	}
	responses := make([]batchResponse, 0, len(request.Requests))
	for i, part := range request.Requests {
		a := s.part(r, who, part, inputs[i], wrong[i])
		response := batchResponse{ID: part.ID, Status: a.status, Headers: map[string]string{}, Body: json.RawMessage("null")}
		for key := range a.header {
			if key != "Content-Encoding" {
				response.Headers[key] = a.header.Get(key)
			}
		}
		response.Headers["Cmdlet-Name"] = inputs[i].CmdletName
		if json.Valid(a.body) {
			response.Body = a.body
		}
		responses = append(responses, response)
	}
	return encode(map[string]any{"responses": responses})
}

func (s *server) part(r *http.Request, who *caller, part batchPart, in input, wrong *failure) *reply {
	target, err := url.Parse(part.URL)
	if err != nil || !strings.EqualFold(part.Method, http.MethodPost) {
		return refuse(r, bad(typeArgument, "A batch part is a POST of a cmdlet."))
	}
	version, tenant, rest, ok := split("/" + strings.TrimPrefix(target.Path, "/"))
	if !ok || version != "beta" || rest != "InvokeCommand" || s.world.Tenant(tenant) != who.tenant {
		return refuse(r, bad(typeArgument, "The URL '%s' of a batch part is not the InvokeCommand of this tenant.", part.URL))
	}
	if wrong != nil {
		return refuse(r, wrong)
	}
	q, err := parseQuery(target)
	if err != nil {
		return unimplemented(r, err.Error())
	}
	header := http.Header{}
	for key, value := range part.Headers {
		header.Set(key, value)
	}
	inner := r.Clone(r.Context())
	inner.URL = &url.URL{Path: target.Path, RawQuery: target.RawQuery}
	prefer := header.Values("Prefer")
	if prefer == nil {
		prefer = r.Header.Values("Prefer")
	}
	sum := digest(part.Body, who.tenant.ID, header.Get("X-AnchorMailbox"), header.Get("connection-id"))
	return s.run(inner, who, in, s.find(in), q, pageSize(prefer), sum)
}
