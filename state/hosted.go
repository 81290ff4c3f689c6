package state

import "time"

// Hosted is what the vendor's own directory sync was expected to do when Weir last looked, so that what it did can be
// compared with that. It is small whatever the tenant's size. It is immutable once it is part of a State.
type Hosted struct {
	// Policy is the address of the sync policy.
	Policy string
	// At is when the prediction was made, UTC.
	At time.Time
	// LastRun is the vendor's last_successful_sync at that time, RFC 3339; empty when there was none. A later one means
	// that the vendor's sync ran since.
	LastRun string
	// Fails is why runs were expected to fail; empty when they were not.
	Fails string
	// Digest stands for the whole prediction; opaque, compared for equality.
	Digest string
	// Accounts are those that were expected to change, sorted by address, at most HostedAccounts of them; More is the
	// number left out.
	Accounts []HostedAccount
	More     int
}

// HostedAccounts bounds Hosted.Accounts.
const HostedAccounts = 200

// HostedAccount is one account that was expected to change.
type HostedAccount struct {
	// Address is the primary address before the run; of an account to be added, the new one.
	Address string
	// Effect is adding, updating, disabling or deleting.
	Effect string
	// Digest stands for what was expected to happen; opaque, compared for equality.
	Digest string
	// Doubt says that it depended on something that cannot be read.
	Doubt bool
}

func storeHosted(h *Hosted) *hostedV1 {
	if h == nil {
		return nil
	}
	return &hostedV1{
		Policy: h.Policy, At: h.At, LastRun: h.LastRun, Fails: h.Fails, Digest: h.Digest, More: h.More,
		Accounts: convert(h.Accounts, func(a HostedAccount) hostedAccountV1 { return hostedAccountV1(a) }),
	}
}

func (v *hostedV1) load() *Hosted {
	if v == nil {
		return nil
	}
	return &Hosted{
		Policy: v.Policy, At: v.At, LastRun: v.LastRun, Fails: v.Fails, Digest: v.Digest, More: v.More,
		Accounts: convert(v.Accounts, func(a hostedAccountV1) HostedAccount { return HostedAccount(a) }),
	}
}
