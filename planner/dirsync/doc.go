// Package dirsync decides which Essentials accounts a sync policy adds, updates, renames, converts, disables, enables
// and deletes: directory entries × policy × exemptions × registered domains in, decisions with the chain of their
// reasons out.
//
// It is given one reading of the directory, one of the accounts, what state remembers of the accounts, and the policy;
// it returns a Result. It is pure and deterministic: no I/O, no clock (Request.Now), and the order of its input changes
// nothing. The usual account costs one step of a merge of three sorted sequences; only what does not line up (renames,
// adoptions, leavers) is looked up by id. Explain is the same run, told unit by unit, and what would change it.
//
// Imported by planner, which turns decisions into plan items. For declared objects see planner itself.
package dirsync
