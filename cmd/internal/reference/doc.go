// Package reference renders the reference pages: one Markdown page for every resource type, data source, provider block
// and the root's safeguard block, and an index. It is given the attribute tables and the source text of example
// configurations, returns the pages by path and has no effects; its test compares them with the pages in the
// repository, which live beside the code that they describe, and writes them with -update.
//
// Nothing is written here that a table can say. Choose the table of the type to change a word on a page.
package reference

//go:generate go test . -run TestPagesAreFresh -update
