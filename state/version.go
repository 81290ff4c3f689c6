package state

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/zclconf/go-cty/cty"
)

// VersionKeySize is the length of a version key, in bytes.
const VersionKeySize = 32

// VersionOf returns what stands in state for the value of a write-only
// attribute: a keyed digest, "hmac:" and 64 hexadecimal digits. In a state that
// was never stored there is no key, and the result is empty, which equals no
// version that was ever recorded.
func (s *State) VersionOf(secret []byte) string {
	if len(s.VersionKey) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, s.VersionKey)
	mac.Write(secret)
	return "hmac:" + hex.EncodeToString(mac.Sum(nil))
}

func (o Output) present() bool { return o.Value != cty.NilVal }
