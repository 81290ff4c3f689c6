package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/hashicorp/hcl/v2"

	"github.com/weir-project/weir/config"
	"github.com/weir-project/weir/planner"
	"github.com/weir-project/weir/providers/secrets"
	"github.com/weir-project/weir/state/keys"
)

// An encrypted plan file is one line and the sealed plan file:
//
//	weir-plan encrypted CONFIGURATION
//
// The line is part of what the seal covers.
var encryptedPlan = regexp.MustCompile(`\Aweir-plan encrypted ([A-Za-z0-9._-]{1,100})\n`)

// maxPlanFile bounds what is read of a file that claims to be a plan.
const maxPlanFile = 600 << 20

// planSubject names a configuration's plan to the seal, so that another one's does not open.
func planSubject(configuration string) string { return "plan " + configuration }

// savePlan writes the plan file, readable by its owner alone, and encrypted where state is. It returns its digest.
func (w *workspace) savePlan(ctx context.Context, p *planner.Plan, path string, plaintext bool) (digest string, err error) {
	if name := sensitiveIn(p); name != "" && w.keys == nil && !plaintext {
		return "", fmt.Errorf("the plan would hold the value of sensitive variable %q unencrypted; write an encryption block into the weir block's state, or pass --plaintext-plan if the file is safe where it goes", name)
	}
	data, err := w.planFile(ctx, p)
	if err != nil {
		return "", err
	}
	return digestOfFile(data), writeFile(path, func(f io.Writer) error { _, err := f.Write(data); return err })
}

// planFile is the content of the plan's file.
func (w *workspace) planFile(ctx context.Context, p *planner.Plan) ([]byte, error) {
	var plain bytes.Buffer
	if err := p.Write(&plain); err != nil || w.keys == nil {
		return plain.Bytes(), err
	}
	return sealPlan(ctx, w.keys, w.lineage, plain.Bytes())
}

// digestOfFile is the SHA-256 of a plan file as it lies there, encrypted or not, in hexadecimal digits: what sha256sum
// prints, and what the record of a run names the plan by.
func digestOfFile(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// sealPlan is the encrypted form of a configuration's plan file.
func sealPlan(ctx context.Context, ring *keys.Ring, configuration string, plain []byte) ([]byte, error) {
	line := "weir-plan encrypted " + configuration + "\n"
	if !encryptedPlan.MatchString(line) {
		return nil, fmt.Errorf("the plan cannot be encrypted: %q is no identity of a configuration", configuration)
	}
	sealed, err := ring.SealFile(ctx, planSubject(configuration), plain)
	if err != nil {
		return nil, fmt.Errorf("the plan cannot be encrypted: %w", err)
	}
	return append([]byte(line), sealed...), nil
}

// openPlan is the reverse of sealPlan.
func openPlan(ctx context.Context, ring *keys.Ring, file []byte) (plain []byte, configuration string, err error) {
	m := encryptedPlan.FindSubmatch(file)
	if m == nil {
		return nil, "", planner.ErrNotPlan
	}
	configuration = string(m[1])
	plain, err = ring.OpenFile(ctx, planSubject(configuration), file[len(m[0]):])
	return plain, configuration, err
}

// planFileInfo is what a plan file shows besides the plan.
type planFileInfo struct {
	encrypted bool
	// digest is that of the file, path where it lies.
	digest, path string
}

// readPlan reads a plan file. An encrypted one is opened with the encryption block of the configuration in the folder.
func (a *App) readPlan(ctx context.Context, c configFlags, path string) (p *planner.Plan, info planFileInfo, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, info, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxPlanFile+1))
	if err != nil {
		return nil, info, err
	}
	if len(data) > maxPlanFile {
		return nil, info, fmt.Errorf("%s is larger than %d MiB, which no plan file is", path, maxPlanFile>>20)
	}
	info.digest, info.path = digestOfFile(data), path
	configuration := ""
	if encryptedPlan.Match(data) {
		info.encrypted = true
		if data, configuration, err = a.openPlanFile(ctx, c, path, data); err != nil {
			return nil, info, err
		}
	}
	p, err = planner.ReadPlan(bytes.NewReader(data))
	if errors.Is(err, planner.ErrNotPlan) {
		return nil, info, fmt.Errorf("%s is not a plan file; save one with weir plan --out %s", path, filepath.Base(path))
	}
	if err == nil && info.encrypted && p.Lineage != configuration {
		return nil, info, fmt.Errorf("%s was encrypted for another configuration than it is of; plan again", path)
	}
	return p, info, err
}

// openedKeys are the keys that the folder's weir block names.
type openedKeys struct {
	ring *keys.Ring
	// settings has the encryption block, which is never nil; refuse shows what is wrong with the file's configuration.
	settings config.Settings
	refuse   func(hcl.Diagnostics) error
}

// openKeys opens the keys of what the folder's weir block says. The variables that the plan carries are still in it, so
// that block is evaluated without them. The caller closes the ring.
func (a *App) openKeys(ctx context.Context, c configFlags, path string) (*openedKeys, error) {
	w := &workspace{app: a, flags: c, registry: builtin()}
	fsys := os.DirFS(a.dir())
	graph, diags := config.Load(fsys, ".", w.registry)
	w.graph = graph
	if diags.HasErrors() {
		return nil, w.refuse(diags)
	}
	vars, files, diags := w.variables(fsys)
	if diags.HasErrors() {
		return nil, w.refuseIn(diags, files)
	}
	settings, diags := graph.Settings(config.Inputs{Vars: vars, Env: a.Env, Now: a.Now().UTC()})
	if diags.HasErrors() {
		return nil, w.refuseIn(diags, files)
	}
	if settings.Encryption == nil {
		return nil, fmt.Errorf("%s is encrypted, and the configuration in %s has no encryption block: run in the folder that it was planned in, or a copy of it", path, a.dir())
	}
	ring, diags := a.keyring(ctx, settings.Encryption, &secrets.Run{Env: a.Env, Seen: a.secrets.Add})
	if diags.HasErrors() {
		return nil, w.refuse(diags)
	}
	return &openedKeys{ring: ring, settings: settings, refuse: w.refuse}, nil
}

// openPlanFile decrypts a plan file.
func (a *App) openPlanFile(ctx context.Context, c configFlags, path string, data []byte) (plain []byte, configuration string, err error) {
	k, err := a.openKeys(ctx, c, path)
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, k.ring.Close()) }()
	plain, configuration, err = openPlan(ctx, k.ring, data)
	switch {
	case errors.Is(err, keys.ErrWrongKey):
		return nil, "", k.refuse(hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Plan file is encrypted with another key", Subject: k.settings.Encryption.Current.At(""),
			Detail: fmt.Sprintf("This encryption block does not open %s: %s. Use the settings that it was planned with (in a previous block, if they have changed), or plan again.", path, err),
		}})
	case errors.Is(err, keys.ErrDamaged):
		return nil, "", fmt.Errorf("%s is damaged or was changed; nothing in it is used, plan again: %w", path, err)
	case err != nil:
		return nil, "", fmt.Errorf("%s cannot be opened: %w", path, err)
	}
	return plain, configuration, nil
}
