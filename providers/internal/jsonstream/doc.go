// Package jsonstream reads the vendors' long lists: one value at a time, in one pass, without reflection and without
// keeping what was read. It is given an io.Reader and returns values and errors; it has no effects. The clients of Entra,
// Essentials and Exchange import it for lists that grow with the number of people. For the few declared objects
// encoding/json is the simpler choice.
//
// It stands on jsontext, the tokenizer of the standard library's encoding/json/v2, from the module that its authors keep
// for Go versions that do not have it yet. What it accepts is what encoding/json accepts: the last of two members with
// one name counts, and broken UTF-8 reads as U+FFFD. Names of members are compared exactly.
package jsonstream
