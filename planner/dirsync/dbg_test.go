package dirsync

import (
	"fmt"
	"strings"
)

func dump(r Request, res *Result) string {
	var b strings.Builder
	for _, e := range r.Directory.Entries {
		fmt.Fprintf(&b, "  entry %s %s %s %v enabled=%v lic=%v proxy=%v dep=%s\n", e.ObjectID, e.Kind, e.Address, e.Aliases, e.Enabled, e.Licensed, e.HasProxy, e.Department)
	}
	for _, a := range r.Accounts.Accounts {
		fmt.Fprintf(&b, "  account %d %s %s %v active=%v\n", a.UID, a.Address, a.Type, a.Aliases, a.Active)
	}
	for _, k := range r.Known {
		fmt.Fprintf(&b, "  known %+v\n", k)
	}
	fmt.Fprintf(&b, "  declared %v skips %v prot %+v\n", r.Declared, r.Skips, r.Protections)
	for _, s := range summary(res) {
		fmt.Fprintf(&b, "  => %s\n", s)
	}
	return b.String()
}
