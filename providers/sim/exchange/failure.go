package exchange

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// .NET type names that errors carry; clients tell errors apart by them.
const (
	typeNotFound   = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException"
	typeExists     = "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException"
	typeValidation = "Microsoft.Exchange.Data.DataValidationException"                                       // inferred
	typeInvalid    = "Microsoft.Exchange.Configuration.Tasks.TaskInvalidOperationException"                  // inferred
	typeBinding    = "System.Management.Automation.ParameterBindingException"                                //
	typeTransform  = "System.Management.Automation.ParameterBindingArgumentTransformationException"          //
	typeArgument   = "System.ArgumentException"                                                              // inferred
	typeService    = "Microsoft.Exchange.Admin.OData.Core.ODataServiceException"                             //
	typeCustomize  = "Microsoft.Exchange.Configuration.Tasks.InvalidOperationInDehydratedContextException"   // inferred
	typePaging     = "Microsoft.Exchange.Admin.OData.Core.InvalidPaginationRequestException"                 // inferred
	typeRulePrio   = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks.InvalidPriorityException"             // inferred
	typeAmbiguous  = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException"             // inferred
	typeDisclaimed = "Microsoft.Exchange.Management.Tasks.OrganizationCustomizationNotRequiredException"     // inferred
	typeRuleTarget = "Microsoft.Exchange.MessagingPolicies.Rules.Tasks.OutboundConnectorIdNotFoundException" // inferred
)

// failure is an error of the service, or, with unimplemented set, of the simulator.
type failure struct {
	status        int
	code          string // error.code; "": BadRequest or what fits the status
	id            string // error id in front of the type, often empty
	kind          string // .NET type
	message       string
	object        bool // details as a JSON object, as binding errors are, rather than id|type|text
	unimplemented bool
}

func (f *failure) Error() string { return f.message }

func bad(kind, format string, args ...any) *failure {
	return &failure{status: http.StatusBadRequest, kind: kind, message: fmt.Sprintf(format, args...)}
}

func notFound(identity string) *failure {
	return &failure{
		status: http.StatusNotFound, code: "NotFound", kind: typeNotFound,
		message: fmt.Sprintf("The operation couldn't be performed because object '%s' couldn't be found on 'DC01.example'.", identity),
	}
}

func binding(id, kind, format string, args ...any) *failure {
	f := bad(kind, format, args...)
	f.id, f.object = id, true
	return f
}

func notSimulated(format string, args ...any) *failure {
	return &failure{unimplemented: true, message: fmt.Sprintf(format, args...)}
}

// reply renders the OData error. The useful text is deep inside on purpose; the outer message is always the same.
func (f *failure) reply() *reply {
	const outer = "Error executing cmdlet"
	code := f.code
	if code == "" {
		code = strings.ReplaceAll(http.StatusText(f.status), " ", "")
	}
	detail := f.id + "|" + f.kind + "|" + f.message
	where := "Context"
	if f.object {
		where = "Client"
		text, err := json.Marshal(map[string]any{
			"Message": f.message, "TypeName": f.kind, "StackTrace": "", "InnerError": nil, "ErrorId": f.id,
		})
		if err == nil {
			detail = string(text)
		}
	}
	a := encode(map[string]any{"error": map[string]any{
		"code":    code,
		"message": outer,
		"details": []any{map[string]any{"code": where, "target": "", "message": detail}},
		"innererror": map[string]any{
			"message": outer, "type": typeService, "stacktrace": "",
			"internalexception": map[string]any{"message": f.message, "type": f.kind, "stacktrace": ""},
		},
	}})
	a.status = f.status
	a.header["X-Exceptiontype"] = []string{f.kind}
	return a
}
