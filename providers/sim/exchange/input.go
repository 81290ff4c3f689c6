package exchange

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// input is a decoded request body.
type input struct {
	CmdletName string
	parameters map[string]json.RawMessage // as written
}

func (in input) whatIf() bool {
	for name, raw := range in.parameters {
		if strings.EqualFold(name, "WhatIf") {
			return bytes.Equal(bytes.TrimSpace(raw), []byte("true"))
		}
	}
	return false
}

// decode reads {"CmdletInput":{"CmdletName":…,"Parameters":{…}}}. The envelope's keys are case-sensitive and
// Parameters must be an object; encoding/json would forgive the first, hence the maps.
func decode(body []byte) (input, *failure) {
	var in input
	malformed := func(text string) (input, *failure) {
		return in, &failure{
			status: http.StatusBadRequest, code: "BadRequest", kind: "Microsoft.OData.ODataException", message: text,
		}
	}
	var outer, inner map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&outer); err != nil {
		return malformed("The request body is not a JSON object: " + err.Error())
	}
	if _, err := decoder.Token(); err != io.EOF {
		return malformed("The request body continues after its JSON object.")
	}
	raw, ok := outer["CmdletInput"]
	if !ok {
		return malformed("The parameter 'CmdletInput' is missing from the request body.")
	}
	if err := json.Unmarshal(raw, &inner); err != nil || inner == nil {
		return malformed("'CmdletInput' must be an object.")
	}
	if err := json.Unmarshal(inner["CmdletName"], &in.CmdletName); err != nil || in.CmdletName == "" {
		return malformed("'CmdletName' must be a non-empty string.")
	}
	if err := json.Unmarshal(inner["Parameters"], &in.parameters); err != nil || in.parameters == nil {
		return malformed("'Parameters' must be an object; send {} when there are none.")
	}
	return in, nil
}
