package dirsync

// Decide compares the directory with the accounts under the policy.
func Decide(req Request) *Result {
	return &Result{SkipCounts: map[string]int{}}
}
