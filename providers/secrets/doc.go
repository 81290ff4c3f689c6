// Package secrets resolves the secret references that configuration only carries: from the environment and from
// files. It also keeps, for the length of one run, the values that resources issue, so that their consumers get them.
//
// It is given an environment and a root for files and returns values; its effects are reads. A value is never logged
// and is part of no error. cmd makes one Run a command and hands it to planner/apply; every value it gives out is also
// told to a redactor, so that no later message can show it.
package secrets
