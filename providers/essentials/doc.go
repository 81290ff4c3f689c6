// Package essentials speaks the Proofpoint Essentials Interface API v1: the resource types tenant, domain, sync_policy,
// exemption and account, and the reading and writing of accounts in bulk.
//
// It is given a stack's address, an administrator's credentials and an http.Client whose transport retries, limits and
// redacts (providers/internal/transport); it returns resource.Type values, directory.Account structs and errors whose
// kind tells absence from doubt. Its only effect is HTTP to that stack. A Client serves every organization that its
// administrator reaches; the organization is named by resource.Conn.Tenant. planner/live and planner/apply use it through
// providers.Builtin.
//
// Decoding is tolerant, since the public record of the API disagrees with itself: lists arrive bare, under their name or
// under "data"; booleans and counts as such or as strings; dates in four spellings. An answer that is none of these (an
// HTML page, an empty body, a cut-off list) is an error and never an empty list.
//
// Every wire field names where it is known from: "vendor API description" is the OpenAPI document of the Interface API
// v1, of August 2023; "vendor API guide" the guide served beside it; "seen in clients" a published client of the API;
// "inferred" is ours. Rule numbers R1…R67 are those of the project's list of vendor rules.
package essentials
