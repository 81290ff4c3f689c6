package resourcetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	posts := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts++
		}
		_, _ = io.WriteString(w, `{"list":[1,2,3]}`)
	}))
	defer server.Close()
	f := &Faults{Base: http.DefaultTransport}
	client := &http.Client{Transport: f}
	ask := func(method string) string {
		req, err := http.NewRequest(method, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "error"
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return resp.Status[:3] + " " + string(body)
	}
	for _, row := range []struct {
		fault           Fault
		get, post       string
		posted, changed int
	}{
		{None, `200 {"list":[1,2,3]}`, `200 {"list":[1,2,3]}`, 1, 1},
		{Throttled, "429", "429", 0, 0},
		{Denied, "401", "401", 0, 0},
		{ServerError, "500", "500", 0, 0},
		{Unreachable, "error", "error", 0, 0},
		{LostAnswer, `200 {"list":[1,2,3]}`, "error", 1, 1},
		{HTMLPage, "200 <!DOCTYPE", `200 {"list"`, 1, 1},
		{EmptyBody, "200 ", `200 {"list"`, 1, 1},
		{Truncated, `200 {"list":`, `200 {"list":[1,2,3]}`, 1, 1},
	} {
		t.Run(string(row.fault), func(t *testing.T) {
			posts, f.changed = 0, 0
			f.Set(row.fault)
			if got := ask(http.MethodGet); !strings.HasPrefix(got, row.get) {
				t.Errorf("GET: %s", got)
			}
			if got := ask(http.MethodPost); !strings.HasPrefix(got, row.post) {
				t.Errorf("POST: %s", got)
			}
			if posts != row.posted || f.Changed() != row.changed {
				t.Errorf("%d posts arrived, %d counted", posts, f.Changed())
			}
		})
	}
}
