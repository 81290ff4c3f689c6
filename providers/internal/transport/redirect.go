package transport

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

const maxRedirects = 5

// redirect follows redirects by itself. net/http would turn a redirected POST into a GET without body and drop headers;
// Exchange Online redirects to regional hosts and expects the same POST again.
type redirect struct {
	next    http.RoundTripper
	allowed hosts
}

// RoundTrip implements http.RoundTripper.
func (s *redirect) RoundTrip(r *http.Request) (*http.Response, error) {
	for range maxRedirects + 1 {
		response, err := s.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		location := response.Header.Get("Location")
		if !redirects(response.StatusCode) || location == "" {
			response.Request = r // the one without credential
			return response, nil
		}
		_ = response.Body.Close() // in memory
		to, err := target(r.URL, location)
		if err == nil {
			err = s.allowed.check(to)
		}
		if err != nil {
			var host *HostError
			if errors.As(err, &host) {
				host.From = r.URL.Host
			}
			return nil, unsentError{err} // a redirected request was not carried out
		}
		r = r.Clone(r.Context())
		r.URL, r.Host = to, ""
	}
	return nil, unsentError{&HostError{URL: place(r.URL), Reason: "is one redirect too many", From: r.URL.Host}}
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// target resolves a Location. Exchange Online leaks its inner port 446, which is not reachable: a public Go client
// rewrites it to 443.
func target(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil {
		return nil, &HostError{URL: "something", Reason: "is no address"}
	}
	if to.Port() == "446" && from.Port() != "446" {
		to.Host = strings.TrimSuffix(to.Host, ":446") + ":443"
	}
	to.Fragment = ""
	return to, nil
}
