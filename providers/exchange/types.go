package exchange

import "github.com/weir-project/weir/providers/resource"

// Types returns the resource types of Exchange Online.
func Types() []*resource.Type {
	return []*resource.Type{connectorType(), ruleType()}
}
