// Package doctor says what is missing or about to break in one tenant, and how to cure it.
//
// It is given an Observation (planner/live), what the configuration says, and what no read of planning needs: the cloud
// that the directory is in and the stacks that hold the organization. It returns findings, sorted; it is pure: no I/O, no
// clock. What could not be read gives no finding and no "healthy" either: Unread says so. cmd imports it.
package doctor
