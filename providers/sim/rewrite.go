package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// answer is a vendor's answer, held back to be changed.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}, status: http.StatusOK} }

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) send(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	if a.body.Len() == 0 {
		w.Header().Del("Content-Length")
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client has gone when this fails
}

// failure is the answer of a status fault.
func failure(v Vendor, act *Action) *answer {
	a := newAnswer()
	a.status = act.Status
	if act.RetryAfter != "" {
		a.header.Set("Retry-After", act.RetryAfter)
	}
	a.header.Set("Content-Type", "application/json; charset=utf-8")
	switch act.Body {
	case "":
		a.body.Write(errorBody(v, act.Status))
	case "html":
		a.header.Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(&a.body, "<html><head><title>%d %s</title></head><body><h1>%s</h1><hr>proxy</body></html>\n",
			act.Status, http.StatusText(act.Status), http.StatusText(act.Status))
	case "empty":
		a.header.Del("Content-Type")
	case "nul":
		a.header.Set("Content-Encoding", "gzip") // a lie, as the service tells it
		a.body.Write(make([]byte, 512))
	default:
		a.body.WriteString(act.Body)
	}
	return a
}

// errorBody is an error in the vendor's form.
func errorBody(v Vendor, status int) []byte {
	text := "simulated fault"
	code := strings.ReplaceAll(http.StatusText(status), " ", "")
	if code == "" {
		code = "Unknown"
	}
	var body any
	switch v {
	case Essentials:
		body = map[string]any{"errors": []any{map[string]any{"status": status, "error_message": text, "identifier": ""}}}
	case Login:
		body = map[string]any{"error": "temporarily_unavailable", "error_description": "AADSTS90033: " + text, "error_codes": []int{90033}}
	default:
		body = map[string]any{"error": map[string]any{"code": code, "message": text}}
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic("sim: an error body of strings encodes: " + err.Error())
	}
	return b
}

// deltaFailure is the refusal of a delta token (Microsoft: "Use delta query to track changes", synchronization reset).
func deltaFailure(r *http.Request, kind string) *answer {
	a := newAnswer()
	a.header.Set("Content-Type", "application/json")
	if kind == "expired" {
		a.status = http.StatusBadRequest
		a.body.WriteString(`{"error":{"code":"syncStateNotFound","message":"The sync state generation is not found. The delta token is expired and data must be synchronized again."}}`)
		return a
	}
	a.status = http.StatusGone
	q := r.URL.Query()
	q.Set("$deltatoken", "")
	a.header.Set("Location", "https://"+r.Host+r.URL.Path+"?"+strings.ReplaceAll(q.Encode(), "%24", "$"))
	a.body.WriteString(`{"error":{"code":"resyncRequired","message":"The delta token is no longer valid, and your application must reset its state."}}`)
	return a
}

// rewrite applies the list faults of f to a successful answer.
func (f *fault) rewrite(v Vendor, r *http.Request, t *target, a *answer) {
	if a.status != http.StatusOK {
		return
	}
	act := &f.Action
	if act.ErrorWith200 {
		a.body.Reset()
		a.body.Write(errorBody(v, http.StatusInternalServerError))
		return
	}
	if act.CountOffset != 0 && strings.HasSuffix(r.URL.Path, "/$count") {
		if n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(a.body.String(), "\ufeff"))); err == nil {
			a.body.Reset()
			fmt.Fprintf(&a.body, "%d", n+act.CountOffset)
		}
		return
	}
	doc, list, bare := parseList(a.body.Bytes())
	if doc == nil {
		return
	}
	get := func() []json.RawMessage {
		var items []json.RawMessage
		_ = json.Unmarshal(doc[list], &items) // parseList has seen that it is a list
		return items
	}
	set := func(items []json.RawMessage) {
		if items == nil {
			items = []json.RawMessage{}
		}
		raw, err := json.Marshal(items)
		if err != nil {
			panic("sim: raw JSON encodes: " + err.Error())
		}
		doc[list] = raw
	}
	page, before := f.turnPage(t, r, doc[list])
	switch {
	case act.LastPage > 0 && page >= act.LastPage:
		delete(doc, "@odata.nextLink")
	case act.RepeatPage > 0 && page == act.RepeatPage+1 && before != nil:
		doc[list] = before
	case act.KeepItems != nil:
		if items := get(); len(items) > *act.KeepItems {
			set(items[:*act.KeepItems])
		}
		delete(doc, "@odata.nextLink")
	case act.EmptyList:
		set(nil)
		delete(doc, "@odata.nextLink")
		if doc["@odata.count"] != nil {
			doc["@odata.count"] = json.RawMessage("0")
		}
	case act.CountOffset != 0:
		if n, err := strconv.Atoi(string(doc["@odata.count"])); err == nil {
			doc["@odata.count"] = json.RawMessage(strconv.Itoa(n + act.CountOffset))
		}
	case act.DeltaToken == "missing":
		delete(doc, "@odata.deltaLink")
	}
	var out any = doc
	if bare {
		out = doc[list]
	}
	raw, err := json.Marshal(out)
	if err != nil {
		panic("sim: raw JSON encodes: " + err.Error())
	}
	a.body.Reset()
	a.body.Write(raw)
	a.header.Del("Content-Length")
}

// turnPage counts the pages of a list, from 1, and returns the items of the page before.
func (f *fault) turnPage(t *target, r *http.Request, items json.RawMessage) (page int, before json.RawMessage) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := t.tenant + " " + r.URL.Path
	m := f.pages[key]
	if m == nil || !t.query.Has("$skiptoken") && !t.query.Has("$skip") {
		m = &pageMark{}
		f.pages[key] = m
	}
	before = m.items
	m.page++
	if f.Action.RepeatPage > 0 {
		m.items = bytes.Clone(items)
	}
	return m.page, before
}

// parseList finds the list in an answer: "value", or the only member that is a list, or the answer itself (bare).
func parseList(body []byte) (doc map[string]json.RawMessage, list string, bare bool) {
	trimmed := bytes.TrimSpace(body)
	if len(trimmed) == 0 {
		return nil, "", false
	}
	if trimmed[0] == '[' {
		if !json.Valid(trimmed) {
			return nil, "", false
		}
		return map[string]json.RawMessage{"value": bytes.Clone(trimmed)}, "value", true
	}
	if err := json.Unmarshal(trimmed, &doc); err != nil {
		return nil, "", false
	}
	if isList(doc["value"]) {
		return doc, "value", false
	}
	for k, v := range doc {
		if isList(v) {
			if list != "" {
				return nil, "", false // two lists: an object with properties, not a listing
			}
			list = k
		}
	}
	if list == "" {
		return nil, "", false
	}
	return doc, list, false
}

func isList(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && raw[0] == '['
}
