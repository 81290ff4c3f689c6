package graph

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"
)

// pageToken is what a $skiptoken of a list says. It stands for itself, so a restarted simulator continues it.
type pageToken struct {
	For      string `json:"f"`           // template of the operation
	After    string `json:"a"`           // id of the last object written
	Index    int    `json:"i,omitempty"` // its position, where objects are not in order of id
	Sort     string `json:"s,omitempty"` // its key under $orderby
	Null     bool   `json:"z,omitempty"` // that key is null
	Issued   int64  `json:"t"`           // by the world's clock
	Gap      bool   `json:"g,omitempty"` // the empty page before this one was served
	Advanced bool   `json:"v,omitempty"` // the query was an advanced one: the header must come again
}

// pageTokenLife is how long a nextLink works. The service documents none; a day is inferred from Directory_ExpiredPageToken
// being seen on links kept too long.
const pageTokenLife = 24 * time.Hour

// deltaToken is what a $deltatoken or a $skiptoken of a delta round says.
type deltaToken struct {
	For      string   `json:"f"`
	Tenant   string   `json:"n"`           // the directory; another one's tokens are refused (inferred)
	Since    uint64   `json:"s"`           // changes after this revision; 0 with All unset
	All      bool     `json:"w,omitempty"` // round from empty: everything
	Until    uint64   `json:"u"`           // revision at the start of this round: the next round's Since
	Select   []string `json:"c,omitempty"`
	IDs      []string `json:"d,omitempty"` // of $filter
	Issued   int64    `json:"t"`
	Phase    int      `json:"p,omitempty"` // 0 live objects, 1 deleted ones
	After    string   `json:"a,omitempty"` // last object written
	Member   int      `json:"m,omitempty"` // links of After already written; 0 when the object is complete
	Position int      `json:"i,omitempty"` // in the list of deleted objects
}

// deltaTokenLife is documented: "the cached token … is limited to seven days".
const deltaTokenLife = 7 * 24 * time.Hour

// seal makes an opaque text of a token, with a checksum so that a damaged one is refused instead of misread.
func seal(t any) string {
	b, err := json.Marshal(t)
	if err != nil {
		panic("graph: tokens of strings and numbers always encode: " + err.Error())
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

func unseal(s string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 4 {
		return fmt.Errorf("the token is not one of this service")
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(body) != sum {
		return fmt.Errorf("the token is damaged")
	}
	return json.Unmarshal(body, into)
}
