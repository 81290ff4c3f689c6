// Package rules is the table of what is publicly known to hold of Proofpoint Essentials' directory sync and Microsoft 365
// integration, R1 to R67, and how Weir treats each of them.
//
// It is data: given nothing, it returns the rules, and the page made of them, planner/RULES.md. It has no effects. Tests
// import it: for each rule that Weir enforces, plans for or reports, cmd/weir shows a pair of worlds that differ in that
// rule only and whose plans or findings differ.
package rules
