package transport

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// hosts are the places that may be asked, lower case, with port.
type hosts struct {
	exact    map[string]bool // "host:port"
	suffixes []string        // ".suffix:port"
}

func newHosts(patterns []string) hosts {
	h := hosts{exact: map[string]bool{}}
	for _, pattern := range patterns {
		pattern = strings.ToLower(strings.TrimSpace(pattern))
		if pattern == "" {
			continue
		}
		suffix, isSuffix := strings.CutPrefix(pattern, "*")
		name := suffix
		if _, _, err := net.SplitHostPort(name); err != nil {
			name = net.JoinHostPort(strings.Trim(name, "[]"), "443")
		}
		if isSuffix && strings.HasPrefix(suffix, ".") {
			h.suffixes = append(h.suffixes, name)
		} else if !isSuffix {
			h.exact[name] = true
		}
	}
	return h
}

// check refuses what is not https to an allowed host. The error names the host.
func (h hosts) check(u *url.URL) error {
	if u == nil || u.Host == "" {
		return &HostError{URL: "(none)", Reason: "has no host"}
	}
	if u.Scheme != "https" {
		return &HostError{URL: place(u), Reason: "is not https"}
	}
	if u.User != nil {
		return &HostError{URL: place(u), Reason: "carries a user name"}
	}
	name := address(u)
	if h.exact[name] {
		return nil
	}
	for _, suffix := range h.suffixes {
		if len(name) > len(suffix) && strings.HasSuffix(name, suffix) {
			return nil
		}
	}
	return &HostError{URL: place(u), Reason: "is not one of the hosts that this credential may be sent to"}
}

// address is the lower-case "host:port" of a URL.
func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.TrimSuffix(strings.ToLower(u.Hostname()), "."), port)
}

// place is a URL fit for messages: without user, query and fragment, where tokens may stand.
func place(u *url.URL) string {
	if u == nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// HostError says that a request, or a redirect, would have left the allowed hosts. Nothing was sent there.
type HostError struct {
	// URL is scheme, host and path; Reason completes the sentence that begins with it.
	URL, Reason string
	// From is the host that redirected, "" for the request itself.
	From string
}

// Error implements error.
func (e *HostError) Error() string {
	if e.From != "" {
		return fmt.Sprintf("%s redirects to %s, which %s: nothing was sent there", e.From, e.URL, e.Reason)
	}
	return fmt.Sprintf("%s %s: nothing was sent there", e.URL, e.Reason)
}
