package dirsync

// SkipCode says in one word why nothing happens; reports count by it.
type SkipCode string

// The codes.
const (
	SkipNoProxy         SkipCode = "no_proxy_address"    // R31
	SkipNoPrimary       SkipCode = "no_primary_address"  // proxyAddresses without a primary SMTP address
	SkipUnregistered    SkipCode = "unregistered_domain" // R33
	SkipGuest           SkipCode = "guest"
	SkipContact         SkipCode = "contact"
	SkipDynamic         SkipCode = "dynamic_group" // R37
	SkipSyncOff         SkipCode = "not_synced"    // R20
	SkipKindOff         SkipCode = "kind_skipped"  // shared_mailboxes or rooms = "skip"
	SkipNotIncluded     SkipCode = "not_included"
	SkipUnknownKind     SkipCode = "unknown_kind"
	SkipPredicate       SkipCode = "predicate_failed"
	SkipBlocked         SkipCode = "blocked_sign_in" // R32
	SkipAdmin           SkipCode = "admin"
	SkipAddOff          SkipCode = "add_off"
	SkipUpdateOff       SkipCode = "update_off"
	SkipRemoveOff       SkipCode = "remove_off"
	SkipGoneKept        SkipCode = "gone_kept"
	SkipGrace           SkipCode = "grace"
	SkipDeclared        SkipCode = "declared"
	SkipExempt          SkipCode = "exempt"
	SkipLeftOut         SkipCode = "left_out"
	SkipCollision       SkipCode = "collision"
	SkipUndecided       SkipCode = "undecided"
	SkipIncomplete      SkipCode = "incomplete_read"
	SkipUnknownEntry    SkipCode = "entry_invalid"
	SkipHostedEngine    SkipCode = "hosted_engine"
	SkipDrift           SkipCode = "drift" // a sync leaves alone what somebody changed in Essentials
	SkipDeclaredAddress SkipCode = "declared_address"
)
