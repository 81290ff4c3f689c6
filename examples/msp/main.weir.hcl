# Many customers from one module. customers.csv has a row a customer; overrides and exemptions stand beside it.

weir {
  required_version = ">= 0.1"

  # State is kept in .weir/ beside the files. A team keeps it in a bucket, encrypted:
  #
  # state {
  #   url = "azblob://weir-state?prefix=msp/"
  #   encryption {
  #     passphrase = secret("env://WEIR_STATE_PASSPHRASE")
  #     escrow {
  #       recipients = ["age1…"] # their secret key lies in a safe, for the day when the passphrase is lost
  #     }
  #   }
  # }
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

variable "customers" {
  type        = string
  description = "The CSV file of customers."
  default     = "customers.csv"
}

variable "partner" {
  type        = string
  description = "Primary domain of the partner account that the customers belong to."
  default     = "msp.example"
}

locals {
  customers = { for row in csvdecode(file(var.customers)) : row.key => row }

  # What differs from the defaults, customer by customer.
  defaults = {
    shared_mailboxes = "functional_account"
    relay_domains    = []  # besides the row's own domain
    max_additions    = 500 # seats cost money
    purchases        = "onboarding"
  }
  overrides = {
    northwind = { relay_domains = ["northwind-sales.example"] }
    fabrikam  = { relay_domains = ["fabrikam-europe.example"], max_additions = 1000, purchases = "allow" }
  }

  exemptions = csvdecode(file("exemptions.csv"))
}

module "customer" {
  source   = "./modules/customer"
  for_each = local.customers

  key             = each.key
  name            = each.value.name
  domain          = each.value.domain
  entra_tenant_id = each.value.entra_tenant_id
  licenses        = tonumber(each.value.licenses)
  ring            = each.value.ring
  partner         = var.partner

  shared_mailboxes = try(local.overrides[each.key].shared_mailboxes, local.defaults.shared_mailboxes)
  relay_domains    = try(local.overrides[each.key].relay_domains, local.defaults.relay_domains)
  max_additions    = try(local.overrides[each.key].max_additions, local.defaults.max_additions)
  purchases        = try(local.overrides[each.key].purchases, local.defaults.purchases)
  exemptions       = [for row in local.exemptions : row if row.customer == each.key]
}

output "customers" {
  description = "The MX hosts that each customer's domain belongs to."
  value       = { for key, customer in module.customer : key => customer.mx_hosts }
}
