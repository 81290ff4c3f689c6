package graph

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	abstractions "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	khttp "github.com/microsoft/kiota-http-go"
	kjson "github.com/microsoft/kiota-serialization-json-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
)

// staticToken is an access token provider that always has the same token.
type staticToken string

func (s staticToken) GetAuthorizationToken(context.Context, *url.URL, map[string]interface{}) (string, error) {
	return string(s), nil
}

func (staticToken) GetAllowedHostsValidator() *authentication.AllowedHostsValidator {
	v, err := authentication.NewAllowedHostsValidatorErrorCheck([]string{"127.0.0.1"})
	if err != nil {
		panic(err) // a host name is a host name
	}
	return v
}

// TestSDKCore drives the handler with the vendor's own request adapter over TLS: raw reads by SendPrimitive, a
// compressed write, and the batch helper.
func TestSDKCore(t *testing.T) {
	w := newWorld(7)
	srv := httptest.NewTLSServer(New(w))
	defer srv.Close()
	abstractions.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory { return kjson.NewJsonSerializationWriterFactory() })
	abstractions.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory { return kjson.NewJsonParseNodeFactory() })
	// The order is explicit: the library's own list has a random one.
	transport := khttp.NewCustomTransportWithParentTransport(srv.Client().Transport, khttp.NewParametersNameDecodingHandler(),
		khttp.NewUserAgentHandler(), khttp.NewRetryHandler(), khttp.NewCompressionHandler())
	auth := authentication.NewBaseBearerTokenAuthenticationProvider(staticToken(sign(w, everything...)))
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(auth,
		core.GraphClientOptions{}, nil, nil, &http.Client{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	adapter.SetBaseUrl(srv.URL + "/v1.0")
	send := func(method abstractions.HttpMethod, link string, body []byte) ([]byte, error) {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		info := abstractions.NewRequestInformation()
		info.Method = method
		info.SetUri(*u)
		info.Headers.Add("Accept", "application/json")
		if body != nil {
			info.SetStreamContentAndContentType(body, "application/json")
		}
		raw, err := adapter.SendPrimitive(t.Context(), info, "[]byte", nil)
		if err != nil || raw == nil {
			return nil, err
		}
		return raw.([]byte), nil
	}

	var ids []string
	pages := 0
	for link := srv.URL + "/v1.0/users?%24select=id%2Cmail&%24top=3"; link != ""; pages++ {
		raw, err := send(abstractions.GET, link, nil)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Next  string `json:"@odata.nextLink"`
			Value []struct {
				ID, Mail string
			}
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		for _, u := range page.Value {
			ids = append(ids, u.ID)
		}
		link = page.Next
	}
	if len(ids) != 7 || pages != 3 || !slices.IsSorted(ids) {
		t.Errorf("%d users on %d pages", len(ids), pages)
	}

	raw, err := send(abstractions.POST, srv.URL+"/v1.0/applications", []byte(`{"displayName":"Compressed on the way"}`))
	if err != nil {
		t.Fatal(err)
	}
	var app struct{ DisplayName, AppID string }
	if err := json.Unmarshal(raw, &app); err != nil || app.DisplayName != "Compressed on the way" || app.AppID == "" {
		t.Errorf("application %s: %v", raw, err)
	}

	if _, err := send(abstractions.GET, srv.URL+"/v1.0/users/nobody", nil); err == nil {
		t.Error("no error for an unknown user")
	} else if e, ok := err.(*abstractions.ApiError); !ok || e.ResponseStatusCode != 404 {
		t.Errorf("error %T %v", err, err)
	}

	batch := core.NewBatchRequest(adapter)
	var steps []string
	for _, path := range []string{"/users?$select=id&$top=2", "/users/nobody"} {
		u, err := url.Parse(srv.URL + "/v1.0" + path)
		if err != nil {
			t.Fatal(err)
		}
		info := abstractions.NewRequestInformation()
		info.Method = abstractions.GET
		info.SetUri(*u)
		step, err := batch.AddBatchRequestStep(*info)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, *step.GetId())
	}
	answer, err := batch.Send(t.Context(), adapter)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{200, 404} {
		item := answer.GetResponseById(steps[i])
		if item == nil || *item.GetStatus() != want {
			t.Errorf("step %d: %+v", i, item)
		}
	}
	if list, _ := answer.GetResponseById(steps[0]).GetBody()["value"].([]interface{}); len(list) != 2 {
		t.Errorf("batched page %v", answer.GetResponseById(steps[0]).GetBody())
	}
}
