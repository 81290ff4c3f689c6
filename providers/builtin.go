package providers

import (
	"slices"

	"github.com/weir-project/weir/providers/entra"
	"github.com/weir-project/weir/providers/essentials"
	"github.com/weir-project/weir/providers/exchange"
	"github.com/weir-project/weir/providers/resource"
)

// Builtin is the registry of all types, one line a provider.
func Builtin() *resource.Registry {
	return resource.NewRegistry(
		slices.Concat(
			essentials.Types(),
			entra.Types(),
			exchange.Types(),
		),
		slices.Concat(
			entra.DataTypes(),
		),
	)
}
