package sim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// loopback is the name under which the certificate for addresses (and clients without SNI) is kept.
const loopback = "localhost"

// authority is a certificate authority in memory that signs for the vendors' host names and for loopback addresses.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	now  time.Time // real time: clients check certificates by their own clock

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

func newAuthority(now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the simulator's certificate authority: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Weir simulator, not for real services"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the simulator's certificate authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make the simulator's certificate authority: %w", err)
	}
	return &authority{
		cert: cert, key: key, now: now, leaves: map[string]*tls.Certificate{},
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

// certificate answers a TLS hello: for one of the vendors' names, or for the address when the client names none.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	if name == "" || net.ParseIP(name) != nil {
		name = loopback
	}
	if name != loopback && vendorOf(name) == "" {
		return nil, fmt.Errorf("the simulator has no certificate for %q", name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[name]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", name, err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if name == loopback {
		tmpl.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign for %s: %w", name, err)
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}
	a.leaves[name] = c
	return c, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand never fails
	return new(big.Int).SetBytes(b)
}

// vendorOf tells whose host name that is, "" for nobody's. White-label hosts of Essentials are not among them.
func vendorOf(host string) Vendor {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch host {
	case "login.microsoftonline.com":
		return Login
	case "graph.microsoft.com":
		return Graph
	case "outlook.office365.com", "outlook.office.com":
		return Exchange
	}
	if strings.HasSuffix(host, ".outlook.office365.com") {
		return Exchange // the regional hosts to which Exchange redirects
	}
	stack, ok := strings.CutSuffix(host, ".proofpointessentials.com")
	if ok && slices.Contains([]string{"us1", "us2", "us3", "us4", "us5", "eu1", "au1"}, stack) {
		return Essentials
	}
	return ""
}
