package dirsync

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"

	"github.com/weir-project/weir/providers/directory"
)

// Hash stands for what Weir writes of an account that exists: address, functional or not, active, names and aliases (in
// any order). Which user or admin type it has is the portal's business. Two accounts with equal hashes need no write.
// Opaque; 22 characters.
func Hash(a *directory.Account) string {
	aliases := a.Aliases
	if !slices.IsSorted(aliases) {
		aliases = slices.Sorted(slices.Values(aliases))
	}
	buf := make([]byte, 0, 256)
	field := func(s string) {
		buf = strconv.AppendInt(buf, int64(len(s)), 10)
		buf = append(buf, ':')
		buf = append(buf, s...)
	}
	field(a.Address)
	field(strconv.FormatBool(a.Type == directory.FunctionalAccount))
	field(strconv.FormatBool(a.Active))
	field(a.FirstName)
	field(a.Surname)
	for _, alias := range aliases {
		field(alias)
	}
	sum := sha256.Sum256(buf)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// ownedHash is Hash of the account as Weir sees it: without foreign aliases, since those are not its business.
func ownedHash(a *directory.Account, owned []string) string {
	b := *a
	b.Aliases = owned
	return Hash(&b)
}
