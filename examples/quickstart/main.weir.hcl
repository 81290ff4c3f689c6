# One customer, read in two minutes: the organization at Essentials, its domain, who gets an account, and the two
# connectors and the rule that send mail through the gateway.

weir {
  required_version = ">= 0.1"
}

provider "essentials" "us1" {
  stack    = "us1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}

provider "microsoft" "msp" {
  client_id     = env("AZURE_CLIENT_ID")
  client_secret = secret("env://AZURE_CLIENT_SECRET")
}

tenant "contoso" {
  name            = "Contoso Ltd"
  primary_domain  = "contoso.example"
  parent          = "msp.example"
  entra_tenant_id = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"
  package         = "advanced_plus"
  licenses        = 20
  purchases       = "onboarding"
  features        = { url_defense = true, one_click_remediation = true }

  admin {
    email      = "it@contoso.example"
    first_name = "Contoso"
    last_name  = "IT"
  }
}

data "directory" "contoso" {
  tenant = tenant.contoso
}

domain "mail" {
  tenant      = tenant.contoso
  name        = "contoso.example"
  purpose     = "relay"
  destination = data.directory.contoso.mail_host["contoso.example"]
}

# Every other domain that Entra knows, so that no sync stumbles over it.
domain "known" {
  for_each = setsubtract(data.directory.contoso.verified_domains, ["contoso.example"])
  tenant   = tenant.contoso
  name     = each.key
  purpose  = "management"
}

app_registration "sync" {
  tenant  = tenant.contoso
  name    = "Proofpoint Essentials Azure AD Sync"
  profile = "directory_sync"

  secret {
    lifetime      = "2y"
    rotate_before = "45d"
  }
}

sync_policy "people" {
  tenant           = tenant.contoso
  engine           = "weir"
  sync             = ["active_users", "distribution_groups", "security_groups"]
  include          = entry.department != "Kitchen"
  shared_mailboxes = "functional_account"
  blocked_sign_in  = "functional_account"
  gone             = "disable"
  delete_after     = "30d"

  users {
    add    = true
    update = true
    remove = true
  }
  groups {
    add    = true
    update = true
    remove = false
  }
  safeguard {
    max_removals        = 5
    max_removal_percent = 10
  }
  connection {
    application    = app_registration.sync
    primary_domain = "contoso.example"
  }
}

exemption "break_glass" {
  tenant    = tenant.contoso
  addresses = ["breakglass@contoso.example"]
  reason    = "must survive a directory outage"
  owner     = "security@contoso.example"
  expires   = "2027-06-30"
}

m365_connector "inbound" {
  tenant    = tenant.contoso
  direction = "inbound"
}

m365_connector "outbound" {
  tenant    = tenant.contoso
  direction = "outbound"
  enabled   = true # turned on only once SPF includes the gateway
}

mail_flow_rule "bypass" {
  tenant           = tenant.contoso
  sender_ip_ranges = tenant.contoso.delivery_ranges
  set_scl          = -1
}

output "mx_hosts" {
  description = "Point the MX records of contoso.example here."
  value       = tenant.contoso.mx_hosts
}
