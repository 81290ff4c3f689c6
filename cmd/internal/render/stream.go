package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/weir-project/weir/providers/resource"
)

// module names Weir in Terraform's event stream.
const streamModule = "weir.ui"

// providerName stands where Terraform names the provider by its source address.
const providerName = "github.com/weir-project/weir"

// streamLine is one line of the event stream. A zero time is left out: nothing here asks a clock.
func streamLine(level, text, kind string, at time.Time, fields map[string]any) map[string]any {
	m := map[string]any{"@level": level, "@message": text, "@module": streamModule, "type": kind}
	if !at.IsZero() {
		m["@timestamp"] = at.UTC().Format(time.RFC3339Nano)
	}
	for k, v := range fields {
		m[k] = v
	}
	return m
}

// place is an address taken apart as Terraform's formats want it.
type place struct {
	Module, Type, Name string
	// Resource is the address within the module.
	Resource string
	// Index is a string, an int, or nil.
	Index any
}

// placeOf takes an address apart. Accounts derived by a policy have type "account", the policy's name and the mail
// address as index. What is no address is its own name.
func placeOf(address string) place {
	policy, mail, derived := splitAccount(address)
	a, err := resource.ParseAddress(policy)
	if err != nil {
		return place{Name: address, Resource: address}
	}
	p := place{Type: a.Type, Name: a.Name}
	if a.Key.IsSet() {
		p.Index = indexOf(a.Key)
	}
	bare := a
	bare.Module = nil
	p.Resource = bare.String()
	if len(a.Module) > 0 {
		p.Module = policy[:len(policy)-len(p.Resource)-1]
	}
	if derived {
		p.Type, p.Index = "account", mail
		p.Resource += address[len(policy):]
	}
	return p
}

func indexOf(k resource.Key) any {
	if v := k.Value(); !v.IsNull() && v.Type().FriendlyName() == "number" {
		n, _ := v.AsBigFloat().Int64()
		return n
	}
	return k.Text()
}

// splitAccount divides POLICY.account["alice@contoso.com"].
func splitAccount(address string) (policy, mail string, ok bool) {
	const mark = `.account["`
	i := bytes.LastIndex([]byte(address), []byte(mark))
	if i < 0 || len(address) < 2 || address[len(address)-2:] != `"]` {
		return address, "", false
	}
	a, err := resource.ParseAddress("account.x" + address[i+len(".account"):])
	if err != nil {
		return address, "", false
	}
	if _, err := resource.ParseAddress(address[:i]); err != nil {
		return address, "", false // module.x.account["y"]-like addresses are declared blocks
	}
	return address[:i], a.Key.Text(), true
}

// eventResource is the "resource" object of the event stream.
func eventResource(address string) map[string]any {
	p := placeOf(address)
	return map[string]any{
		"addr": address, "module": p.Module, "resource": p.Resource, "implied_provider": "weir",
		"resource_type": p.Type, "resource_name": p.Name, "resource_key": p.Index,
	}
}

// safeJSON escapes what encoding/json leaves raw inside strings and a terminal would obey: C1 controls, and characters
// that turn text around or are invisible. Outside of strings JSON has none of them.
func safeJSON(data []byte) []byte {
	var out bytes.Buffer
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		switch {
		case r < 0x80 && r != 0x7f || r == utf8.RuneError || shown(r):
			out.Write(data[i : i+n])
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		i += n
	}
	return out.Bytes()
}

// stream writes JSON lines; its first error is kept and ends it.
type stream struct {
	w   io.Writer
	at  time.Time
	err error
}

func newStream(w io.Writer) *stream { return &stream{w: w} }

func (s *stream) write(level, text, kind string, fields map[string]any) {
	if s.err != nil {
		return
	}
	data, err := json.Marshal(streamLine(level, text, kind, s.at, fields))
	if err != nil {
		s.err = err
		return
	}
	_, s.err = s.w.Write(append(safeJSON(data), '\n'))
}

// diagnostic writes one diagnostic: severity is "error" or "warning".
func (s *stream) diagnostic(severity, summary, detail, tenant, address string) {
	level, word := "error", "Error: "
	if severity == "warning" {
		level, word = "warn", "Warning: "
	}
	d := map[string]any{"severity": severity, "summary": summary, "detail": detail}
	if address != "" {
		d["address"] = address
	}
	s.write(level, word+summary, "diagnostic", map[string]any{"diagnostic": d, "weir": map[string]any{"tenant": tenant}})
}
