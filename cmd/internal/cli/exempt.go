package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/weir-project/weir/cmd/internal/review"
	"github.com/weir-project/weir/providers/resource"
)

// exemptionFile is where the review writes exemptions. What is in it stays as it is: blocks are added at its end.
const exemptionFile = "exemptions.weir.hcl"

// exempting is one exemption to be written: the accounts of one tenant that a person exempted with the same words.
type exempting struct {
	key, tenant string // the tenant's key, and its block
	mails       []string
	words       review.Exemption
	// address is that of the block.
	address string
}

// writeExemptions adds the blocks to the file beside the configuration, in the root module: there every tenant can be
// named. It fills in their addresses. undo puts back what was there.
func (w *workspace) writeExemptions(list []exempting) (undo func() error, err error) {
	path := filepath.Join(w.app.dir(), exemptionFile)
	mode := fs.FileMode(0o644)
	var before []byte
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		undo = func() error { return os.Remove(path) }
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file; nothing is written through it", exemptionFile)
	default:
		mode = info.Mode().Perm()
		if before, err = os.ReadFile(path); err != nil {
			return nil, err
		}
		undo = func() error { return replaceFile(path, before, mode) }
	}
	var out bytes.Buffer
	out.Write(before)
	if len(before) > 0 && before[len(before)-1] != '\n' {
		out.WriteByte('\n')
	}
	taken := map[string]bool{}
	for i := range list {
		e := &list[i]
		label := w.exemptionLabel(e.mails[0], taken)
		taken[label] = true
		e.address = "exemption." + label
		block, err := exemptionBlock(e, label)
		if err != nil {
			return nil, err
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.Write(block)
	}
	return undo, replaceFile(path, out.Bytes(), mode)
}

func replaceFile(path string, data []byte, mode fs.FileMode) error {
	if err := writeWhole(path, data); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// exemptionBlock is the text of one block. Text that a person typed, and addresses of the directory, come out quoted.
func exemptionBlock(e *exempting, label string) ([]byte, error) {
	address, err := resource.ParseAddress(e.tenant)
	if err != nil {
		return nil, err
	}
	f := hclwrite.NewEmptyFile()
	body := f.Body().AppendNewBlock("exemption", []string{label}).Body()
	body.SetAttributeTraversal("tenant", traversal(address))
	mails := make([]cty.Value, len(e.mails))
	for i, mail := range e.mails {
		mails[i] = cty.StringVal(mail)
	}
	body.SetAttributeValue("addresses", cty.ListVal(mails))
	if e.words.Functional {
		body.SetAttributeValue("as", cty.StringVal("functional_account"))
	}
	body.SetAttributeValue("reason", cty.StringVal(e.words.Reason))
	if e.words.Owner != "" {
		body.SetAttributeValue("owner", cty.StringVal(e.words.Owner))
	}
	if e.words.Expires != "" {
		body.SetAttributeValue("expires", cty.StringVal(e.words.Expires))
	}
	return hclwrite.Format(f.Bytes()), nil
}

// traversal is an address as an expression.
func traversal(a resource.Address) hcl.Traversal {
	var t hcl.Traversal
	step := func(name string) {
		if t == nil {
			t = hcl.Traversal{hcl.TraverseRoot{Name: name}}
			return
		}
		t = append(t, hcl.TraverseAttr{Name: name})
	}
	key := func(k resource.Key) {
		if k.IsSet() {
			t = append(t, hcl.TraverseIndex{Key: k.Value()})
		}
	}
	for _, m := range a.Module {
		step("module")
		step(m.Name)
		key(m.Key)
	}
	step(a.Type)
	step(a.Name)
	key(a.Key)
	return t
}

var notInLabels = regexp.MustCompile(`[^a-z0-9]+`)

// exemptionLabel is a label that no exemption of the root module has yet, made of an address.
func (w *workspace) exemptionLabel(mail string, taken map[string]bool) string {
	local, _, _ := strings.Cut(strings.ToLower(mail), "@")
	base := strings.Trim(notInLabels.ReplaceAllString(local, "_"), "_")
	if base == "" || base[0] >= '0' && base[0] <= '9' {
		base = strings.TrimSuffix("account_"+base, "_")
	}
	label := base
	for n := 2; taken[label] || w.graph.Declares(resource.Address{Type: "exemption", Name: label}); n++ {
		label = fmt.Sprintf("%s_%d", base, n)
	}
	return label
}
