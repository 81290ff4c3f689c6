package transport

import "bytes"

// exchangeTransient are the names with which Exchange Online says "try again", also under 400 and 500 (seen in public
// clients of its administrative interface).
var exchangeTransient = [][]byte{
	[]byte("CmdletProxyNotAvailableFailure"), []byte("ServerBusyException"), []byte("TransientException"),
	[]byte("BackendCommunicationException"), []byte("UnableToWriteToAad"),
}

// ExchangeTransient recognises passing failures of Exchange Online, for Options.Transient. Requests that may be repeated
// are then repeated; a change that may not is returned, for its effect is unknown.
func ExchangeTransient(status int, body []byte) bool {
	if status != 400 && status < 500 {
		return false
	}
	for _, name := range exchangeTransient {
		if bytes.Contains(body, name) {
			return true
		}
	}
	return false
}
