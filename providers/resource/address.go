package resource

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Key is the instance key of a module call or block: absent, an integer (count) or a string (for_each).
type Key struct {
	set bool
	str string
	num int
	isN bool
}

// NoKey is the key of a block without count or for_each.
var NoKey = Key{}

// StringKey and IntKey make instance keys.
func StringKey(s string) Key { return Key{set: true, str: s} }

// IntKey makes the instance key of a count.
func IntKey(n int) Key { return Key{set: true, num: n, isN: true} }

// IsSet reports whether there is a key at all.
func (k Key) IsSet() bool { return k.set }

// Value is the key as a cty value; null without key.
func (k Key) Value() cty.Value {
	switch {
	case !k.set:
		return cty.NullVal(cty.DynamicPseudoType)
	case k.isN:
		return cty.NumberIntVal(int64(k.num))
	default:
		return cty.StringVal(k.str)
	}
}

// Text is the bare key: the string, or the number in digits; "" without key.
func (k Key) Text() string {
	if k.isN {
		return strconv.Itoa(k.num)
	}
	return k.str
}

// String is the key in brackets as addresses show it; "" without key.
func (k Key) String() string {
	switch {
	case !k.set:
		return ""
	case k.isN:
		return fmt.Sprintf("[%d]", k.num)
	default:
		return "[" + strconv.Quote(k.str) + "]"
	}
}

// Step is one module call on the way to a block.
type Step struct {
	Name string
	Key  Key
}

// Address names one object: (module.NAME[key].)*TYPE.NAME[key]. Accounts derived by a policy have the policy's address
// with .account["alice@contoso.com"] behind it and are handled as strings.
type Address struct {
	Module []Step
	Type   string
	Name   string
	Key    Key
	// Data marks a data source: data.TYPE.NAME.
	Data bool
}

// String is the canonical text.
func (a Address) String() string {
	var b strings.Builder
	for _, s := range a.Module {
		b.WriteString("module." + s.Name + s.Key.String() + ".")
	}
	if a.Data {
		b.WriteString("data.")
	}
	b.WriteString(a.Type + "." + a.Name + a.Key.String())
	return b.String()
}

// Block is the address without instance keys, naming the block in its module.
func (a Address) Block() string {
	var b strings.Builder
	for _, s := range a.Module {
		b.WriteString("module." + s.Name + ".")
	}
	b.WriteString(a.Type + "." + a.Name)
	return b.String()
}

// ParseAddress reads the text form. Errors say where it stops making sense.
func ParseAddress(text string) (Address, error) {
	var a Address
	rest := text
	for {
		name, after, err := word(rest, text)
		if err != nil {
			return a, err
		}
		if name == "data" && !a.Data && strings.HasPrefix(after, ".") {
			a.Data = true
			rest = after[1:]
			continue
		}
		if !strings.HasPrefix(after, ".") {
			return a, fmt.Errorf("address %q: expected TYPE.NAME, found only %q", text, name)
		}
		second, after, err := word(after[1:], text)
		if err != nil {
			return a, err
		}
		key, after, err := parseKey(after, text)
		if err != nil {
			return a, err
		}
		if name == "module" && !a.Data {
			a.Module = append(a.Module, Step{Name: second, Key: key})
			if !strings.HasPrefix(after, ".") {
				return a, fmt.Errorf("address %q ends at a module; name a block in it", text)
			}
			rest = after[1:]
			continue
		}
		if after != "" {
			return a, fmt.Errorf("address %q: unexpected %q", text, after)
		}
		a.Type, a.Name, a.Key = name, second, key
		return a, nil
	}
}

func word(s, whole string) (string, string, error) {
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] == '-' || s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 0x80) {
		i++
	}
	if i == 0 {
		return "", s, fmt.Errorf("address %q: expected a name before %q", whole, s)
	}
	return s[:i], s[i:], nil
}

func parseKey(s, whole string) (Key, string, error) {
	if !strings.HasPrefix(s, "[") {
		return NoKey, s, nil
	}
	if strings.HasPrefix(s, `["`) {
		quoted, err := strconv.QuotedPrefix(s[1:])
		if err == nil && strings.HasPrefix(s[1+len(quoted):], "]") {
			text, err := strconv.Unquote(quoted)
			if err == nil {
				return StringKey(text), s[2+len(quoted):], nil
			}
		}
		return NoKey, s, fmt.Errorf("address %q: unfinished key at %q", whole, s)
	}
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return NoKey, s, fmt.Errorf("address %q: unfinished key at %q", whole, s)
	}
	n, err := strconv.Atoi(s[1:end])
	if err != nil || n < 0 {
		return NoKey, s, fmt.Errorf("address %q: key %s is neither a quoted string nor a number", whole, s[:end+1])
	}
	return IntKey(n), s[end+1:], nil
}
