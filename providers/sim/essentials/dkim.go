package essentials

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-project/weir/providers/sim/world"
)

func (rq *request) dkimKeys() ([]*world.DKIMKey, *world.Domain, error) {
	d, err := rq.target()
	if err != nil {
		return nil, nil, err
	}
	var out []*world.DKIMKey
	for _, k := range rq.org.DKIM {
		if strings.EqualFold(k.Domain, d.Name) {
			out = append(out, k)
		}
	}
	return out, d, nil
}

func (rq *request) dkimKey() (*world.DKIMKey, error) {
	keys, _, err := rq.dkimKeys()
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if strings.EqualFold(k.Selector, rq.params["selector"]) {
			return k, nil
		}
	}
	return nil, notFound("selector", rq.params["selector"])
}

func listDKIM(rq *request) (answer, error) {
	keys, _, err := rq.dkimKeys()
	if err != nil {
		return answer{}, err
	}
	if keys == nil {
		keys = []*world.DKIMKey{}
	}
	return answer{http.StatusOK, keys}, nil
}

func getDKIM(rq *request) (answer, error) {
	k, err := rq.dkimKey()
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, k}, nil
}

// createDKIM takes the caller's private key and keeps the public one. The description of 2023 posts to the collection
// with the selector in the body, the later list of operations to the selector; both are served.
func createDKIM(rq *request) (answer, error) {
	keys, d, err := rq.dkimKeys()
	if err != nil {
		return answer{}, err
	}
	f, err := decodeObject(rq.body)
	if err != nil {
		return answer{}, err
	}
	selector := rq.params["selector"]
	var named, private string
	if f.str("selector", &named); selector == "" {
		selector = named
	}
	selector = strings.ToLower(selector)
	f.id = selector
	f.str("private_key", &private)
	if err := f.done(); err != nil {
		return answer{}, err
	}
	if selector == "" || !validDomain(selector+".example") {
		return answer{}, invalid(selector, "selector is required and must be a DNS label")
	}
	if named != "" && !strings.EqualFold(named, selector) {
		return answer{}, invalid(selector, "selector differs from that of the path")
	}
	public, err := publicKey(private)
	if err != nil {
		return answer{}, invalid(selector, "private_key: %v", err)
	}
	k := &world.DKIMKey{Domain: d.Name, Selector: selector, PublicKey: public}
	for _, present := range keys {
		if strings.EqualFold(present.Selector, selector) {
			return answer{}, conflict(selector, "the selector already exists")
		}
		k.DID = present.DID // the number is the domain's, not the key's
	}
	if k.DID == 0 {
		k.DID = rq.w.NewUID()
	}
	rq.org.DKIM = append(rq.org.DKIM, k)
	return answer{http.StatusCreated, k}, nil
}

// publicKey derives the base64 of the PEM public key from the base64 of a PEM private key, or from the bare PEM.
func publicKey(private string) (string, error) {
	if private == "" {
		return "", errors.New("is required")
	}
	text := []byte(private)
	if decoded, err := base64.StdEncoding.DecodeString(private); err == nil {
		text = decoded
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("must be the base64 of a PEM block")
	}
	var key crypto.PrivateKey
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return "", errors.New("is no RSA private key")
		}
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return "", errors.New("is no RSA private key")
	}
	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// verifyDKIM compares with the TXT record at <selector>._domainkey.<domain>.
func verifyDKIM(rq *request) (answer, error) {
	k, err := rq.dkimKey()
	if err != nil {
		return answer{}, err
	}
	name := strings.ToLower(k.Selector + "._domainkey." + k.Domain)
	records := lookup(rq.w, name, func(z *world.Zone) []string { return z.TXT[name] })
	want := publishedForm(k.PublicKey)
	found := slices.ContainsFunc(records, func(record string) bool {
		for _, tag := range strings.Split(record, ";") {
			n, v, _ := strings.Cut(tag, "=")
			if strings.TrimSpace(n) == "p" && strings.Join(strings.Fields(v), "") == want && want != "" {
				return true
			}
		}
		return false
	})
	if !found {
		return answer{}, conflict(name, "unable to retrieve the public key")
	}
	k.IsValid = true
	return noContent, nil
}

// publishedForm is the p= tag for a stored public key: the base64 of the DER inside the PEM. A world file may hold that
// form itself.
func publishedForm(stored string) string {
	decoded, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		return stored
	}
	if block, _ := pem.Decode(decoded); block != nil {
		return base64.StdEncoding.EncodeToString(block.Bytes)
	}
	return stored
}

func deleteAllDKIM(rq *request) (answer, error) {
	keys, _, err := rq.dkimKeys()
	if err != nil {
		return answer{}, err
	}
	if len(keys) == 0 {
		return answer{}, notFound("DKIM key of domain", rq.params["t"])
	}
	rq.org.DKIM = slices.DeleteFunc(rq.org.DKIM, func(k *world.DKIMKey) bool { return slices.Contains(keys, k) })
	return noContent, nil
}

func deleteDKIM(rq *request) (answer, error) {
	key, err := rq.dkimKey()
	if err != nil {
		return answer{}, err
	}
	rq.org.DKIM = slices.DeleteFunc(rq.org.DKIM, func(k *world.DKIMKey) bool { return k == key })
	return noContent, nil
}
