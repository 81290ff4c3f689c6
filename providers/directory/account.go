package directory

// AccountType is the type of an Essentials account as the API spells it.
type AccountType string

// The account types of the Essentials API (vendor API description; admin types are never given or taken by Weir).
const (
	EndUser           AccountType = "end_user"
	SilentUser        AccountType = "silent_user"
	FunctionalAccount AccountType = "functional_account"
	OrganizationAdmin AccountType = "organization_admin"
	ChannelAdmin      AccountType = "channel_admin"
	StrategicPartner  AccountType = "strategic_partner_admin"
	OEMPartner        AccountType = "oem_partner_admin"
)

// IsAdmin reports whether the type administers an organization.
func (t AccountType) IsAdmin() bool {
	switch t {
	case OrganizationAdmin, ChannelAdmin, StrategicPartner, OEMPartner:
		return true
	}
	return false
}

// Known reports whether the type is one of those above: what another one may do, and whether it may go, is not known.
func (t AccountType) Known() bool {
	return t == EndUser || t == SilentUser || t == FunctionalAccount || t.IsAdmin()
}

// Account is one Essentials account as read, functional accounts included.
type Account struct {
	// UID is assigned by Essentials; 0 when not known yet.
	UID int
	// Address is the primary address, lower case.
	Address string
	Type    AccountType
	// Active accounts receive mail and, functional accounts apart, use a licence.
	Active    bool
	FirstName string
	Surname   string
	// Aliases are sorted, lower case.
	Aliases  []string
	Billable bool
}
