package entra

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weir-project/weir/providers/directory"
	"github.com/weir-project/weir/providers/directory/cache"
)

// pieceFields are what a piece of a user or of a group may say; a byte chooses some of them.
var pieceFields = map[string][]string{
	"user": {
		`"displayName":"A"`, `"displayName":"B"`, `"accountEnabled":true`, `"accountEnabled":false`, `"userPrincipalName":"a@x.example"`,
		`"userType":"Guest"`, `"userType":null`, `"proxyAddresses":["SMTP:a@x.example"]`, `"proxyAddresses":["smtp:b@x.example","SMTP:c@x.example"]`,
		`"assignedLicenses":[]`, `"assignedLicenses":[{"skuId":"s"}]`, `"proxyAddresses":null`, `"@removed":{"reason":"changed"}`,
	},
	"group": {
		`"displayName":"A"`, `"displayName":"B"`, `"securityEnabled":true`, `"securityEnabled":false`, `"groupTypes":["Unified"]`, `"groupTypes":[]`,
		`"visibility":"HiddenMembership"`, `"visibility":"Private"`, `"members@delta":[{"id":"m"}]`, `"members@delta":[{"id":"m","@removed":{}}]`,
		`"members@delta":[{"id":"n"},{"id":"o"}]`, `"proxyAddresses":["SMTP:a@x.example"]`, `"@removed":{"reason":"deleted"}`,
	},
}

// pieces makes up to four pieces of one object out of bytes, two fields a byte.
func pieces(kind string, raw []byte) (out []string) {
	fields := pieceFields[kind]
	for _, b := range raw[:min(len(raw), 4)] {
		one := []string{`"id":"x"`}
		for _, i := range []int{int(b) & 15, int(b) >> 4} {
			if i < len(fields) {
				one = append(one, fields[i])
			}
		}
		out = append(out, "{"+strings.Join(one, ",")+"}")
	}
	return out
}

// permuted calls f with every order of a list.
func permuted(list []string, f func([]string)) {
	var next func(k int)
	next = func(k int) {
		if k == len(list) {
			f(list)
			return
		}
		for i := k; i < len(list); i++ {
			list[k], list[i] = list[i], list[k]
			next(k + 1)
			list[k], list[i] = list[i], list[k]
		}
	}
	next(0)
}

// FuzzPieces: whatever the pieces of an object say, their order decides nothing: they lead to the same object, or are in
// doubt, in every order.
func FuzzPieces(f *testing.F) {
	for _, known := range []bool{true, false} {
		f.Add([]byte{0x02, 0x14, 0x74}, []byte{0x20, 0x46, 0x98}, known)
		f.Add([]byte{0x42, 0xf0, 0xf1, 0xf0}, []byte{0x20, 0xf4, 0xf5, 0xf3}, known)
		f.Add([]byte{0x24, 0xf8, 0xf7}, []byte{0x20, 0xf6, 0xf7}, known)
	}
	f.Fuzz(func(t *testing.T, user, group []byte, known bool) {
		seen := map[string]string{}
		check := func(kind string, order []string, got string) {
			if first, again := seen[kind]; again && first != got {
				t.Errorf("%s\n%s\nbefore\n%s", strings.Join(order, "\n"), got, first)
			}
			seen[kind] = got
		}
		permuted(pieces("user", user), func(order []string) {
			var items []deltaUser
			if err := json.Unmarshal([]byte("["+strings.Join(order, ",")+"]"), &items); err != nil {
				t.Fatal(err)
			}
			var all []*deltaUser
			for i := range items {
				all = append(all, &items[i])
			}
			if len(all) == 0 {
				return
			}
			var old *directory.Entry
			if known {
				old = &directory.Entry{ObjectID: "x", Kind: directory.User, Name: "Old", Enabled: true}
			}
			got := "in doubt"
			if after, sure := outcome(old, "x", all); sure {
				got = fmt.Sprintf("%+v", after)
			}
			check("user", order, got)
		})
		permuted(pieces("group", group), func(order []string) {
			var items []deltaGroup
			if err := json.Unmarshal([]byte("["+strings.Join(order, ",")+"]"), &items); err != nil {
				t.Fatal(err)
			}
			var entries []*directory.Entry
			if known {
				entries = append(entries, &directory.Entry{ObjectID: "x", Kind: directory.Microsoft365Group, Name: "Old", Enabled: true, Members: []string{"m", "z"}})
			}
			col := cache.NewCollection("link", entries)
			got, err := "in doubt", mergeGroups(col, items)
			var lost *lostError
			if err != nil && !errors.As(err, &lost) {
				t.Fatal(err)
			}
			if err == nil {
				got = fmt.Sprintf("%+v", slices.Collect(col.All()))
				if e := col.Get("x"); e != nil {
					got = fmt.Sprintf("%+v", *e)
				}
			}
			check("group", order, got)
		})
	})
}
