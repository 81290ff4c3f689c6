package essentials

import "github.com/weir-project/weir/providers/resource"

// Types returns the resource types of Essentials.
func Types() []*resource.Type {
	return []*resource.Type{tenantType(), domainType(), syncPolicyType(), exemptionType(), accountType()}
}
