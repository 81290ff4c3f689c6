# One large customer, live at Essentials for years: its accounts exist, and Weir takes over from the portal's own sync.

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

tenant "large" {
  name            = "Ionescu & Aoife 1"
  primary_domain  = "customer-1.example"
  entra_tenant_id = "c6a1c57b-e879-4d91-967f-cc24711ea1de"
  package         = "advanced_plus"
}

domain "mail" {
  tenant      = tenant.large
  name        = "customer-1.example"
  purpose     = "relay"
  destination = "customer-1-example.mail.protection.outlook.com"
}

domain "initial" {
  tenant  = tenant.large
  name    = "customer-1.onmicrosoft.example"
  purpose = "management" # known, so that no sync stumbles over it (R34, R35)
}

sync_policy "people" {
  tenant           = tenant.large
  engine           = "weir"
  sync             = ["active_users", "distribution_groups", "security_groups"]
  include          = entry.department != "Kitchen"
  shared_mailboxes = "functional_account"
  blocked_sign_in  = "functional_account"
  gone             = "disable"
  delete_after     = "30d"

  # The limits of an ordinary day are the defaults: 5 removals or 10 %, 50 conversions, 500 additions. Taking over is no
  # ordinary day: the portal's sync made users of shared mailboxes and of people with blocked sign-in, some 12,000 in
  # 200,000. Read the plan, write the figure that it names, apply, and take the line out again.
  safeguard {
    max_conversions = 15000
  }

  connection {
    primary_domain = "customer-1.example"
  }
}
