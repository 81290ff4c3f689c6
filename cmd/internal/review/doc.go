// Package review asks a person which items of a plan are to be left out before it is applied, and how: this time, until
// a date, or as an exemption (R42).
//
// It is given the items as package render groups them and what goes along with what, and returns choices; it changes
// nothing, knows no configuration and no state. List holds the answers and the couplings; Screen is a form over it for a
// terminal, Lines a dialogue of questions and answers for everything else. Both say the same and come to the same.
// cmd/internal/cli uses it.
package review
