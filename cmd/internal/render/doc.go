// Package render shows plans, states, progress and results to people and machines.
//
// It is given a plan, a state, events or the results of an apply, and a writer. It returns only the writer's error and
// has no other effect: no clock, no environment, no terminal query. What depends on the surroundings (colour, width,
// whether names are shown) arrives as [Options]. Package cli imports it, nobody else does.
//
// Text, Markdown and HTML are drawn from one intermediate form (view.go), so that they say the same; JSON and the event
// stream speak Terraform's field names and carry what is Weir's own under "weir".
//
// Everything that comes from a directory, a vendor or a configuration is foreign text. It passes [SafeText] on its way
// to a terminal, is escaped by the rules of the format elsewhere, and sensitive values are in no format at all.
package render
