package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weir-project/weir/providers/directory"
)

// A part is a sequence of records. Binary instead of JSON, since a directory of 200,000 people is read and decided about in
// one go: the fields of an entry are cut out of one text, without an allocation for each. The text is the entry's own, so
// that whoever keeps the address of one person does not keep the text of thousands.
//
//	entry    length as uvarint of: kind byte, flags byte, id, 12 texts, aliases, members, [created]
//	mailbox  kind byte, id
//	id       16 bytes when the flag says that it is a GUID, else a text
//	text     length as uvarint, bytes
//	list     count as uvarint, texts
//	members  count as uvarint, one byte: 1 all are GUIDs (16 bytes each), 0 texts
//	created  seconds as varint, nanoseconds as uvarint
//
// The form has the number format in the manifest; a change of it is a new number.

// errRecord says that bytes are no records.
var errRecord = errors.New("the records of a cached directory are damaged")

// kinds are the stored numbers of the kinds; they are part of the form, so that nothing may be put in between.
var kinds = [...]directory.Kind{
	directory.User, directory.SharedMailbox, directory.Room, directory.Equipment, directory.Guest, directory.Contact,
	directory.DistributionGroup, directory.SecurityGroup, directory.Microsoft365Group, directory.DynamicDistributionGroup,
	directory.UnknownKind,
}

func kindNumber(k directory.Kind) (byte, error) {
	for i, known := range kinds {
		if k == known {
			return byte(i), nil
		}
	}
	return 0, fmt.Errorf("kind %q has no stored form", k)
}

const (
	flagEnabled = 1 << iota
	flagLicensed
	flagOnPremises
	flagHasProxy
	flagCreated
	flagGUID
	flagMembersHidden
	flagsKnown = 1<<iota - 1
)

// texts are the fields that are kept as they are, in the order of the stored form.
func texts(e *directory.Entry) [12]*string {
	return [12]*string{
		&e.Address, &e.UPN, &e.Name, &e.GivenName, &e.Surname, &e.Department, &e.JobTitle, &e.Company, &e.Office, &e.EmployeeID,
		&e.Mobile, &e.UsageLocation,
	}
}

// appendEntry adds the record of an entry. The names of its groups are not kept: they follow from the groups.
func appendEntry(b []byte, e *directory.Entry) ([]byte, error) {
	kind, err := kindNumber(e.Kind)
	if err != nil {
		return nil, err
	}
	id, isGUID := guid(e.ObjectID)
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{e.Enabled, flagEnabled}, {e.Licensed, flagLicensed}, {e.OnPremises, flagOnPremises}, {e.HasProxy, flagHasProxy}, {!e.Created.IsZero(), flagCreated}, {isGUID, flagGUID}, {e.MembersHidden, flagMembersHidden}} {
		if f.set {
			flags |= f.bit
		}
	}
	start := len(b)
	b = append(b, kind, flags)
	if isGUID {
		b = append(b, id[:]...)
	} else {
		b = appendText(b, e.ObjectID)
	}
	for _, s := range texts(e) {
		b = appendText(b, *s)
	}
	b = binary.AppendUvarint(b, uint64(len(e.Aliases)))
	for _, a := range e.Aliases {
		b = appendText(b, a)
	}
	b = appendMembers(b, e.Members)
	if !e.Created.IsZero() {
		b = binary.AppendVarint(b, e.Created.Unix())
		b = binary.AppendUvarint(b, uint64(e.Created.Nanosecond()))
	}
	var length [binary.MaxVarintLen64]byte
	return slices.Insert(b, start, binary.AppendUvarint(length[:0], uint64(len(b)-start))...), nil
}

// cutEntry reads the first entry of the records.
func cutEntry(raw []byte) (e *directory.Entry, rest []byte, err error) {
	n, size := binary.Uvarint(raw)
	var again [binary.MaxVarintLen64]byte
	// One spelling a number, so that equal entries have equal bytes.
	if size <= 0 || len(binary.AppendUvarint(again[:0], n)) != size || n > uint64(len(raw)-size) {
		return nil, nil, errRecord
	}
	end := size + int(n)
	c := cursor{s: string(raw[size:end])}
	if e, err = c.entry(); err == nil && c.more() {
		err = errRecord
	}
	return e, raw[end:], err
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendMembers(b []byte, members []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(members)))
	if len(members) == 0 {
		return b
	}
	start := len(b)
	b = append(b, 1)
	for _, m := range members {
		id, ok := guid(m)
		if !ok {
			b = append(b[:start], 0)
			for _, m := range members {
				b = appendText(b, m)
			}
			return b
		}
		b = append(b, id[:]...)
	}
	return b
}

func appendMailbox(b []byte, id string, kind directory.Kind) ([]byte, error) {
	n, err := kindNumber(kind)
	if err != nil {
		return nil, err
	}
	raw, ok := guid(id)
	if !ok {
		return nil, fmt.Errorf("a mailbox belongs to %q, which is no object id", id)
	}
	return append(append(b, n), raw[:]...), nil
}

// cursor reads records. Its texts are pieces of one string, which stays in memory as long as any of them does.
type cursor struct {
	s   string
	bad bool
}

func (c *cursor) more() bool { return !c.bad && len(c.s) > 0 }

func (c *cursor) take(n uint64) string {
	if c.bad || n > uint64(len(c.s)) {
		c.bad = true
		return ""
	}
	out := c.s[:n]
	c.s = c.s[n:]
	return out
}

func (c *cursor) byte() byte {
	if s := c.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (c *cursor) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		b := c.byte()
		if c.bad {
			return 0
		}
		if shift == 63 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			// One spelling a number, so that equal entries have equal bytes.
			c.bad = c.bad || b == 0 && shift > 0
			return n
		}
	}
	c.bad = true
	return 0
}

func (c *cursor) varint() int64 {
	n := c.uvarint()
	v := int64(n >> 1)
	if n&1 != 0 {
		v = ^v
	}
	return v
}

func (c *cursor) text() string { return c.take(c.uvarint()) }

func (c *cursor) guid() string {
	s := c.take(16)
	if c.bad {
		return ""
	}
	return spell([16]byte([]byte(s)))
}

// count reads how many items follow, of which each has at least size bytes.
func (c *cursor) count(size int) int {
	n := c.uvarint()
	if n > uint64(len(c.s)/size) {
		c.bad = true
		return 0
	}
	return int(n)
}

func (c *cursor) kind() directory.Kind {
	n := c.byte()
	if int(n) >= len(kinds) {
		c.bad = true
		return ""
	}
	return kinds[n]
}

func (c *cursor) entry() (*directory.Entry, error) {
	e := &directory.Entry{Kind: c.kind()}
	flags := c.byte()
	c.bad = c.bad || flags&^flagsKnown != 0
	e.Enabled, e.Licensed, e.OnPremises, e.HasProxy = flags&flagEnabled != 0, flags&flagLicensed != 0, flags&flagOnPremises != 0, flags&flagHasProxy != 0
	e.MembersHidden = flags&flagMembersHidden != 0
	if flags&flagGUID != 0 {
		e.ObjectID = c.guid()
	} else {
		e.ObjectID = c.text()
		_, isGUID := guid(e.ObjectID)
		c.bad = c.bad || isGUID
	}
	c.bad = c.bad || e.ObjectID == ""
	for _, s := range texts(e) {
		*s = c.text()
	}
	if n := c.count(1); n > 0 {
		e.Aliases = make([]string, n)
		for i := range e.Aliases {
			e.Aliases[i] = c.text()
		}
	}
	c.members(e)
	if flags&flagCreated != 0 {
		seconds, nanos := c.varint(), c.uvarint()
		if nanos >= uint64(time.Second) {
			c.bad = true
			return nil, errRecord
		}
		e.Created = time.Unix(seconds, int64(nanos)).UTC()
		c.bad = c.bad || e.Created.IsZero()
	}
	if c.bad {
		return nil, errRecord
	}
	return e, nil
}

func (c *cursor) members(e *directory.Entry) {
	n := c.count(1)
	if n == 0 || c.bad {
		return
	}
	switch c.byte() {
	case 1:
		if n > len(c.s)/16 {
			c.bad = true
			return
		}
		e.Members = make([]string, n)
		for i := range e.Members {
			e.Members[i] = c.guid()
		}
	case 0:
		e.Members = make([]string, n)
		all := true
		for i := range e.Members {
			e.Members[i] = c.text()
			_, ok := guid(e.Members[i])
			all = all && ok
		}
		c.bad = c.bad || all
	default:
		c.bad = true
	}
}

func (c *cursor) mailbox() (id string, kind directory.Kind, err error) {
	kind, id = c.kind(), c.guid()
	if c.bad {
		return "", "", errRecord
	}
	return id, kind, nil
}
