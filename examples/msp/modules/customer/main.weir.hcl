variable "key" { type = string }
variable "name" { type = string }
variable "domain" { type = string }
variable "entra_tenant_id" { type = string }
variable "licenses" { type = number }
variable "ring" { type = string }
variable "partner" { type = string }
variable "shared_mailboxes" { type = string }
variable "relay_domains" { type = set(string) }
variable "max_additions" { type = number }
variable "purchases" { type = string }

variable "exemptions" {
  type = list(object({
    customer = string
    address  = string
    as       = string
    reason   = string
    owner    = string
  }))
}

tenant "this" {
  key             = var.key
  name            = var.name
  primary_domain  = var.domain
  parent          = var.partner
  entra_tenant_id = var.entra_tenant_id
  package         = "advanced_plus"
  licenses        = var.licenses
  purchases       = var.purchases
  tags            = { ring = var.ring }

  admin {
    email      = "it@${var.domain}"
    first_name = var.name
    last_name  = "IT"
  }
}

data "directory" "this" {
  tenant = tenant.this
}

locals {
  relay = setunion([var.domain], var.relay_domains)
}

domain "mail" {
  for_each    = local.relay
  name        = each.key
  purpose     = "relay"
  destination = data.directory.this.mail_host[each.key]
}

# Every other domain that Entra knows, so that no sync stumbles over it.
domain "known" {
  for_each = setsubtract(data.directory.this.verified_domains, local.relay)
  name     = each.key
  purpose  = "management"
}

app_registration "sync" {
  name    = "Proofpoint Essentials Azure AD Sync"
  profile = "directory_sync"

  secret {
    lifetime      = "2y"
    rotate_before = "45d"
  }
}

sync_policy "people" {
  engine           = "weir"
  sync             = ["active_users", "distribution_groups", "security_groups"]
  shared_mailboxes = var.shared_mailboxes
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
    max_additions = var.max_additions
  }
  connection {
    application    = app_registration.sync
    primary_domain = var.domain
  }
}

exemption "named" {
  for_each  = { for row in var.exemptions : row.address => row }
  addresses = [each.key]
  as        = each.value.as
  reason    = each.value.reason
  owner     = each.value.owner
}

m365_connector "inbound" {
  direction = "inbound"
}

m365_connector "outbound" {
  direction = "outbound"
  enabled   = true
}

mail_flow_rule "bypass" {
  sender_ip_ranges = tenant.this.delivery_ranges
  set_scl          = -1
}

output "mx_hosts" {
  value = tenant.this.mx_hosts
}
