package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/planner/dirsync"
)

// UnsupportedCloud names the part of Microsoft's cloud when Essentials does not support it (R2); "" when it does, or when
// nothing is known against it.
func UnsupportedCloud(cloud string) string {
	switch cloud {
	case "DODCON":
		return "GCC High"
	case "DOD":
		return "the cloud of the Department of Defense"
	case "USGOV":
		return "a cloud of the US government (GCC High or the Department of Defense's)"
	}
	return ""
}

// guardCloud refuses the whole tenant when its blocks ask for a directory that Essentials does not support (R2): were the rest
// of it applied, an organization might be bought for people who never get an account. Where the cloud is not known it
// says so, and stops nothing. It reports whether the tenant is refused; the part has no changes then.
func (p *Part) guardCloud(req *Request) bool {
	var asking []string
	for _, c := range p.Changes {
		if c.After == cty.NilVal || c.Action == Delete || c.Action == Release {
			continue
		}
		if c.Type == "app_registration" || c.Type == "sync_policy" && text(c.After, "engine") != dirsync.EngineNone {
			asking = append(asking, c.Address)
		}
	}
	if len(asking) == 0 || req.Destroy {
		return false
	}
	slices.Sort(asking)
	switch name := UnsupportedCloud(req.Observed.Cloud); {
	case name != "":
		p.Errors = append(p.Errors, fmt.Sprintf("the directory is in %s, which Essentials does not support (R2), and this asks for it: %s. Nothing of the tenant is changed. Ask the vendor, or leave the accounts to account blocks, without app_registration:\n\nsync_policy \"people\" {\n  engine = %q\n}",
			name, strings.Join(asking, ", "), dirsync.EngineNone))
		p.Changes, p.Drifted, p.Waits = nil, nil, nil
		return true
	case req.Observed.CloudErr != nil && req.Observed.DirectoryErr == nil:
		p.Notes = append(p.Notes, fmt.Sprintf("In which part of Microsoft's cloud the directory is could not be read, and Essentials does not support GCC High (R2): %v", req.Observed.CloudErr))
	}
	return false
}
