package reference

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Examples are blocks to show, by the name that ExampleName gives them.
type Examples map[string]string

// ExampleName names the example of a block: its type, with the first label of data and provider blocks behind it, such
// as "domain", "data directory", "provider essentials".
func ExampleName(blockType, label string) string {
	if blockType == "data" || blockType == "provider" {
		return blockType + " " + label
	}
	return blockType
}

// Add takes the blocks out of a configuration file, as they are written there, those of one kind together. Kinds that are
// already known keep their example. filename is for the error.
func (e Examples) Add(filename string, source []byte) error {
	file, diags := hclsyntax.ParseConfig(source, filename, hcl.InitialPos)
	if diags.HasErrors() {
		return fmt.Errorf("example %s: %w", filename, diags)
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return fmt.Errorf("example %s: not HCL's native syntax", filename)
	}
	found := map[string][]string{}
	for _, block := range body.Blocks {
		label := ""
		if len(block.Labels) > 0 {
			label = block.Labels[0]
		}
		name := ExampleName(block.Type, label)
		found[name] = append(found[name], strings.TrimSpace(string(block.Range().SliceBytes(source))))
	}
	for name, blocks := range found {
		if e[name] == "" {
			e[name] = strings.Join(blocks, "\n\n")
		}
	}
	return nil
}
