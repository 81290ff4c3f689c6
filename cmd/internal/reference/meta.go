package reference

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/providers/resource"
)

// blockMeta are the arguments that every block of a resource or data source takes.
var blockMeta = []resource.Attribute{
	{Name: "tenant", Description: "The tenant that the block belongs to, such as tenant.contoso; a block without it belongs to its module's only tenant. A tenant block has none."},
	{Name: "for_each", Description: "A map or set of strings: one object for each, addressed by its key. Over a read that failed nothing is planned and nothing is removed."},
	{Name: "count", Description: "How many objects, addressed by number; instead of for_each."},
	{Name: "depends_on", Description: "Blocks that come first, when no reference says so."},
	{Name: "lifecycle", Description: "A block with prevent_destroy, ignore_changes, create_before_destroy, replace_triggered_by, precondition and postcondition, as in Terraform."},
}

// tenantMeta are the arguments of a tenant block that no vendor knows and that are not in its attribute table.
var tenantMeta = []resource.Attribute{
	{Name: "key", Type: cty.String, Optional: true, Local: true, Description: "What names the tenant's state and what --tenant matches; left out, the nearest for_each key, else the block's name."},
	{Name: "essentials", Type: cty.DynamicPseudoType, Optional: true, Local: true, Description: "The provider block for Essentials, such as provider.essentials.us1; needed where there are several."},
	{Name: "microsoft", Type: cty.DynamicPseudoType, Optional: true, Local: true, Description: "The provider block for Entra and Exchange Online; needed where there are several."},
}

// providerPurpose says what the provider blocks are, by kind.
var providerPurpose = map[string]string{
	"essentials": "Who Weir is to Proofpoint Essentials, and on which stack",
	"microsoft":  "Who Weir is to Microsoft Entra and Exchange Online",
}
