// Package exchange simulates the administrative REST interface of Exchange Online, the "InvokeCommand" protocol: one
// POST runs one cmdlet. It is given a world and answers HTTP from it; New's cmdlets that change something change that
// world and nothing else. It opens no connection, reads no file and knows no other clock than the world's.
//
// providers/sim mounts the handler; nothing else imports it. The protocol is undocumented: unless a comment says
// otherwise its facts were seen in the code and recordings of public clients, cmdlet parameters come from Microsoft's
// cmdlet reference (MicrosoftDocs/office-docs-powershell, read 2026), and what is marked inferred is neither.
package exchange
