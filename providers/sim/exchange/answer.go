package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// pageDefault is the number of objects on a page and of results without ResultSize; pageLimit the largest page
	// that Prefer gets (inferred).
	pageDefault = 1000
	pageLimit   = 1000
	// linkLife is how long a nextLink works.
	linkLife = 30 * time.Minute

	utcTime   = "2006-01-02T15:04:05.0000000Z"
	localTime = "2006-01-02T15:04:05.0000000-07:00"
	zoneless  = "2006-01-02T15:04:05.0000000"
)

// answer is the body of a success.
type answer struct {
	Context      string           `json:"@odata.context"`
	WarningsType string           `json:"adminapi.warnings@odata.type"`
	Warnings     []string         `json:"@adminapi.warnings"`
	Confirmation []string         `json:"@adminapi.confirmationmessage,omitempty"`
	NextLink     string           `json:"@odata.nextLink,omitempty"`
	Value        []map[string]any `json:"value"`
}

// output is what a cmdlet yields. rows gives objects with the key after which a later page goes on; it starts behind
// the invocation's page.
type output struct {
	rows     iter.Seq2[string, map[string]any]
	warnings []string
	limited  bool // the cmdlet has ResultSize
}

// typed marks a scalar for the sidecar that tells its type.
type typed struct {
	kind  string // "System.Guid" …
	value any
}

func asGUID(s string) typed { return typed{"System.Guid", s} }

func asDate(layout string, t time.Time) typed { return typed{"System.DateTime", t.Format(layout)} }

func asNumber(n int) typed { return typed{"System.Int32", n} }

// collect gathers one page.
func collect(r *http.Request, call *invocation, out output, q query, size int, sum string) answer {
	a := answer{Context: contextOf(r, call.tenant.ID), Warnings: out.warnings, Value: []map[string]any{}}
	limit := call.resultSize()
	if !out.limited {
		limit = int(^uint(0) >> 1)
	}
	seen, last := call.page.seen, ""
	if out.rows != nil {
		for key, row := range out.rows {
			if seen >= limit {
				a.Warnings = append(a.Warnings, "There are more results available than are currently displayed. "+
					"To view them, increase the value for the ResultSize parameter.")
				break
			}
			if len(a.Value) == size {
				a.NextLink = nextLink(r, call, q, last, seen, sum)
				break
			}
			a.Value = append(a.Value, wire(row, q.fields))
			seen, last = seen+1, key
		}
	}
	return a
}

// wire lays an object out as it is sent: typed values and lists get their sidecars, and only selected fields go.
func wire(row map[string]any, fields []string) map[string]any {
	out := make(map[string]any, 2*len(row))
	put := func(name string, value any) {
		switch v := value.(type) {
		case typed:
			out[name] = v.value
			out[name+"@data.type"] = v.kind
		case []string:
			if v == nil { // an unset list of a rule
				out[name] = nil
				return
			}
			out[name] = v
			out[name+"@odata.type"] = "#Collection(String)"
		default:
			out[name] = v
		}
	}
	if fields == nil {
		for name, value := range row {
			put(name, value)
		}
		return out
	}
	for _, field := range fields {
		for name, value := range row {
			if strings.EqualFold(name, field) {
				put(name, value)
			}
		}
	}
	return out
}

// page is the place where an answer goes on.
type page struct {
	after string
	seen  int
}

// token is the stored form of a $skiptoken. Sum ties it to body, tenant, anchor and connection, At to its half hour.
type token struct {
	After string `json:"a"`
	Seen  int    `json:"n"`
	At    int64  `json:"t"`
	Sum   string `json:"s"`
}

func nextLink(r *http.Request, call *invocation, q query, after string, seen int, sum string) string {
	raw, err := json.Marshal(token{After: after, Seen: seen, At: call.now.Unix(), Sum: sum})
	if err != nil {
		return ""
	}
	link := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path}
	link.RawQuery = "%24skiptoken=" + base64.RawURLEncoding.EncodeToString(raw)
	if q.fields != nil {
		link.RawQuery += "&%24select=" + url.QueryEscape(strings.Join(q.fields, ","))
	}
	if region := r.URL.Query().Get("region"); region != "" {
		link.RawQuery += "&region=" + url.QueryEscape(region)
	}
	return link.String()
}

// openPage reads a $skiptoken. An old one, or one that another request issued, is refused alike.
func openPage(skip, sum string, now time.Time) (page, *failure) {
	if skip == "" {
		return page{}, nil
	}
	var t token
	raw, err := base64.RawURLEncoding.DecodeString(skip)
	if err == nil {
		err = json.Unmarshal(raw, &t)
	}
	if err != nil || t.Sum != sum || t.Seen < 0 || now.Sub(time.Unix(t.At, 0)) > linkLife {
		return page{}, bad(typePaging, "Expired or invalid pagination request. Default expiry time is 00:30:00.")
	}
	return page{after: t.After, seen: t.Seen}, nil
}

func digest(body []byte, parts ...string) string {
	h := sha256.New()
	_, _ = h.Write(body) // a hash never fails
	for _, part := range parts {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(part))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// requestedSize is the page size of a Prefer header, capped, or 0.
func requestedSize(prefer []string) int {
	for _, line := range prefer {
		for _, part := range strings.FieldsFunc(line, func(c rune) bool { return c == ',' || c == ';' }) {
			value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(part)), "odata.maxpagesize=")
			if !ok {
				continue
			}
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				return min(n, pageLimit)
			}
		}
	}
	return 0
}

func pageSize(prefer []string) int {
	if n := requestedSize(prefer); n > 0 {
		return n
	}
	return pageDefault
}

func contextOf(r *http.Request, tenant string) string {
	return fmt.Sprintf("https://%s/adminapi/beta/%s/$metadata#Collection(Exchange.GenericHashTable)", r.Host, tenant)
}

func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"}}
}

// encode makes a 200 of a body.
func encode(body any) *reply {
	if a, ok := body.(answer); ok {
		a.WarningsType = "#Collection(String)"
		if a.Warnings == nil {
			a.Warnings = []string{}
		}
		body = a
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		return plain(http.StatusInternalServerError, "The answer could not be written: "+err.Error())
	}
	return &reply{status: http.StatusOK, header: jsonHeader(), body: buffer.Bytes()}
}

// guid derives a stable lower-case GUID from parts, for what the world does not number.
func guid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
