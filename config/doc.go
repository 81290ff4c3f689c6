// Package config turns a folder of HCL files into a Graph and evaluates it in three stages: the frame (settings,
// providers, variables, tenants), the reads, and the plan.
//
// It is given a file system, attribute tables (resource.Registry), variables and an environment, and returns values
// and diagnostics with source ranges. It performs no other I/O: reads of live data are calls back into its caller.
// cmd, planner and apply import it; it imports providers/resource and providers/directory only.
package config
