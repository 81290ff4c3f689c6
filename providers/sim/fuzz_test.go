package sim

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

// FuzzRewrite feeds foreign bytes to everything that rewrites an answer: whatever a vendor's handler says, the result of
// a rewritten JSON answer is JSON.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte(`{"value":[1,2],"@odata.nextLink":"x","@odata.count":2}`))
	f.Add([]byte(`{"users":[{}]}`))
	f.Add([]byte(`[1,[2]]`))
	f.Add([]byte(`{"value":[`))
	f.Add([]byte("7"))
	one := 1
	actions := []Action{{LastPage: 1}, {KeepItems: &one}, {RepeatPage: 1}, {EmptyList: true}, {CountOffset: 2}, {DeltaToken: "missing"}, {ErrorWith200: true}}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, action := range actions {
			fault, err := newFault(Rule{Action: action}, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/v1.0/users", "/v1.0/users/$count"} {
				r := httptest.NewRequest("GET", path, nil)
				a := newAnswer()
				a.body.Write(body)
				fault.rewrite(Graph, r, &target{query: r.URL.Query()}, a)
				if json.Valid(body) && !json.Valid(a.body.Bytes()) {
					t.Fatalf("%+v made %q of %q", action, a.body.Bytes(), body)
				}
			}
		}
	})
}

// FuzzRules reads rules as POST /faults does.
func FuzzRules(f *testing.F) {
	f.Add([]byte(`{"vendor":"graph","path":"/v1.0/*","after":1,"action":{"status":429,"retry_after":"1.5"}}`))
	f.Add([]byte(`{"path":"^(","action":{"latency":"-1s"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Rule
		if strict(raw, &r) != nil {
			return
		}
		made, err := newFault(r, 1)
		if err != nil {
			return
		}
		made.takes(&target{vendor: Graph, path: "/v1.0/users"})
	})
}
