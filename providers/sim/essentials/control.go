package essentials

import (
	"net/http"

	"github.com/weir-project/weir/providers/sim/world"
)

// Control returns the handler of the control paths, which the product does not have.
func Control(w *world.World) http.Handler {
	return http.NewServeMux()
}
