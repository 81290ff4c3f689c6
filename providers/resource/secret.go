package resource

import (
	"context"
	"reflect"

	"github.com/zclconf/go-cty/cty"
)

// SecretRef is a reference to a secret value: where it can be fetched, or which object issues it. The value itself is
// never part of it, so a SecretRef may be printed.
type SecretRef struct {
	// URL is where the value is kept ("env://NAME", "file:///path", "azurekeyvault://…"); "" for an issued secret.
	URL string
	// Issuer is the address of the object that issues the value, with the attribute's path behind a "#"; "" otherwise.
	Issuer string
	// Version is the issuer's key id of the current value; "" while a new one is still to be issued.
	Version string
}

// String names the reference for people.
func (s *SecretRef) String() string {
	if s == nil {
		return "no secret"
	}
	if s.URL != "" {
		return "secret(" + s.URL + ")"
	}
	return "secret issued by " + s.Issuer
}

// SecretType is the cty type of secret references. Values of it flow only into write-only attributes.
var SecretType = cty.CapsuleWithOps("secret", reflect.TypeOf(SecretRef{}), &cty.CapsuleOps{
	GoString:     func(v any) string { return v.(*SecretRef).String() },
	TypeGoString: func(reflect.Type) string { return "resource.SecretType" },
	RawEquals:    func(a, b any) bool { return *a.(*SecretRef) == *b.(*SecretRef) },
})

// Secret wraps a reference as a value.
func Secret(ref *SecretRef) cty.Value { return cty.CapsuleVal(SecretType, ref) }

// SecretOf unwraps a value of SecretType; nil when it is null or unknown.
func SecretOf(v cty.Value) *SecretRef {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != SecretType {
		return nil
	}
	return v.EncapsulatedValue().(*SecretRef)
}

// Secrets gives the values of references to drivers, for one run. Safe for concurrent use.
type Secrets interface {
	// Resolve returns the value. An issued secret resolves only in the run that issued it.
	Resolve(ctx context.Context, ref *SecretRef) (string, error)
	// Issue keeps a value that the object at issuer has just issued, for its consumers in this run, under the key id
	// version. The value reaches no log, state or error text.
	Issue(issuer, version, value string)
}
