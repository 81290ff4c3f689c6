// Package config turns a folder of HCL files into a Graph and evaluates it in three stages: the frame (settings,
// providers, variables, tenants), the reads, and the plan.
//
// It is given a file system, attribute tables (resource.Registry), variables and an environment, and returns values
// and diagnostics with source ranges. It performs no other I/O: reads of live data and the values of objects are calls
// back into its caller, and secrets are references that it never resolves. cmd, planner and apply import it; it imports
// providers/resource and providers/directory only.
//
// The path of the data:
//
//	Load(fsys, dir, registry)     parse, modules, what stands where        → *Graph
//	graph.Validate()              all that can be said without values
//	graph.Frame(inputs)           variables, providers, tenants            → *Frame
//	frame.Evaluate(ctx, request)  one tenant: data, then each instance once all that it refers to was visited
//
// Everything foreign passes a guard before the parser (guard.go) and budgets while it is evaluated (budget.go). The
// decisions are in DESIGN.md beside the code.
package config
