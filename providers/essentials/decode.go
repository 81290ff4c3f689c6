package essentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-project/weir/providers/internal/jsonstream"
	"github.com/weir-project/weir/providers/internal/transport"
	"github.com/weir-project/weir/providers/resource"
)

// flexBool is a boolean in any spelling that the API or its clients use: true, "true" in any case, 1, "1". The vendor API
// description gives feature values as strings; clients read true booleans. A null or empty string is not set.
type flexBool struct {
	set, value bool
}

// UnmarshalJSON accepts the spellings above and refuses everything else.
func (b *flexBool) UnmarshalJSON(raw []byte) error {
	switch strings.ToLower(strings.TrimSpace(strings.Trim(string(raw), `"`))) {
	case "true", "1":
		*b = flexBool{true, true}
	case "false", "0":
		*b = flexBool{true, false}
	case "null", "":
		*b = flexBool{}
	default:
		return fmt.Errorf("expected a boolean, got %s", clip(string(raw)))
	}
	return nil
}

func (b *flexBool) read(r *jsonstream.Reader) error {
	if k := r.Kind(); k == 't' || k == 'f' {
		v, _, err := r.Bool()
		*b = flexBool{true, v}
		return err
	}
	raw, err := r.Raw()
	if err != nil {
		return err
	}
	return b.UnmarshalJSON(raw)
}

// flexInt is a whole number, or a string of digits as some counts arrive (seen in clients). A null or empty string is not
// set.
type flexInt struct {
	set   bool
	value int
}

// UnmarshalJSON accepts the spellings above and refuses everything else.
func (n *flexInt) UnmarshalJSON(raw []byte) error {
	text := strings.TrimSpace(strings.Trim(string(raw), `"`))
	if text == "null" || text == "" {
		*n = flexInt{}
		return nil
	}
	v, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("expected a whole number, got %s", clip(string(raw)))
	}
	*n = flexInt{true, v}
	return nil
}

func (n *flexInt) read(r *jsonstream.Reader) error {
	raw, err := r.Raw()
	if err != nil {
		return err
	}
	return n.UnmarshalJSON(raw)
}

// flexString is a string, or a number or boolean kept as it is written; null is "".
type flexString string

// UnmarshalJSON refuses lists and objects.
func (s *flexString) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		var v string
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		*s = flexString(v)
	case '[', '{':
		return fmt.Errorf("expected a string, got %s", clip(string(raw)))
	case 'n':
		*s = ""
	default:
		*s = flexString(raw)
	}
	return nil
}

// read reads the next value as UnmarshalJSON would; word says that the string is likely to come again.
func (s *flexString) read(r *jsonstream.Reader, word bool) error {
	var text string
	var err error
	switch r.Kind() {
	case '"', 'n':
		if word {
			text, err = r.Word()
		} else {
			text, err = r.String()
		}
	default:
		var raw []byte
		if raw, err = r.Raw(); err == nil {
			return s.UnmarshalJSON(raw)
		}
	}
	*s = flexString(text)
	return err
}

// flexTime is a date or time in one of the spellings of resource.ParseTime, or seconds since 1970 (inferred: formats of
// secret_expiry and last_successful_sync are not public). The zero time is not set.
type flexTime struct{ time.Time }

// UnmarshalJSON takes null, "", 0 and "never" as not set and refuses what is no time.
func (t *flexTime) UnmarshalJSON(raw []byte) error {
	text := strings.TrimSpace(strings.Trim(string(raw), `"`))
	switch strings.ToLower(text) {
	case "null", "", "0", "never", "0000-00-00", "0000-00-00 00:00:00":
		*t = flexTime{}
		return nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil && seconds > 0 && seconds < 1<<40 {
		*t = flexTime{time.Unix(seconds, 0).UTC()}
		return nil
	}
	at, ok := resource.ParseTime(text)
	if !ok {
		return fmt.Errorf("expected a date, got %s", clip(string(raw)))
	}
	*t = flexTime{at}
	return nil
}

// clip shortens foreign text for an error message and takes secrets and control bytes out.
func clip(s string) string {
	const most, redacted = 200, 1 << 16
	// Secrets go before the text is cut: what is left of one that was cut in two is not recognised any more.
	s = transport.Redact(s[:min(len(s), redacted)])
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// decodeOne reads exactly one JSON object into v.
func decodeOne(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return emptyBody(err)
	}
	if !bytes.HasPrefix(raw, []byte("{")) {
		return fmt.Errorf("expected a JSON object, got %s", clip(string(raw)))
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return err
	}
	return atEnd(d)
}

// decodeList reads a list of objects in any of its envelopes, {"name": […]}, {"data": […]} or […]. each reads one element,
// so that a list of 200,000 accounts is never held twice. An object without such a list, a list that breaks off, errors
// beside the list and anything behind it are errors.
func decodeList(in io.Reader, name string, each func(*jsonstream.Reader) error) error {
	r := jsonstream.New(in)
	elements := func() error {
		n := 0
		return r.Array(func() error {
			if err := each(r); err != nil {
				return fmt.Errorf("element %d: %w", n, err)
			}
			n++
			return nil
		})
	}
	switch r.Kind() {
	case '[':
		if err := elements(); err != nil {
			return err
		}
		return r.End()
	case '{':
	default:
		raw, err := r.Raw()
		if err != nil {
			return err
		}
		return fmt.Errorf("expected a list of %s, got %s", name, clip(string(raw)))
	}
	found := false
	err := r.Object(func(key []byte) error {
		switch {
		case string(key) == "errors", string(key) == "error", string(key) == "error_message":
			// Errors may stand beside what did succeed (seen in clients): then the list lacks something.
			raw, err := r.Raw()
			if err != nil {
				return err
			}
			if said := bytes.TrimSpace(raw); !slices.Contains([]string{"null", "[]", "{}", `""`, "false", "0"}, string(said)) {
				return fmt.Errorf("the answer holds errors beside the list of %s: %s", name, clip(string(said)))
			}
			return nil
		case string(key) != name && string(key) != "data":
			return nil
		case found:
			return fmt.Errorf("the answer holds the list of %s twice", name)
		case r.Kind() != '[':
			raw, err := r.Raw()
			if err != nil {
				return err
			}
			return fmt.Errorf("expected a list under %q, got %s", key, clip(string(raw)))
		}
		found = true
		return elements()
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("the answer holds no list of %s", name)
	}
	return r.End()
}

func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows behind the end of the answer")
	}
	return nil
}

func emptyBody(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the answer is empty")
	}
	return err
}
