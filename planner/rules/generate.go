package rules

//go:generate go test . -run TestPageIsFresh -update
