# Blocks that the quick start does not need, for their reference pages. The file is a whole configuration, so that a
# test can say that it is valid.

provider "essentials" "us1" {
  stack    = "us1"
  user     = env("ESSENTIALS_USER")
  password = secret("env://ESSENTIALS_PASSWORD")
}

provider "microsoft" "msp" {
  client_id     = env("AZURE_CLIENT_ID")
  client_secret = secret("env://AZURE_CLIENT_SECRET")
}

safeguard {
  max_removals        = 5
  max_removal_percent = 10
  max_tenants_removed = 1
  protected           = ["ceo@contoso.example"]
}

tenant "contoso" {
  key             = "contoso"
  name            = "Contoso Ltd"
  primary_domain  = "contoso.example"
  entra_tenant_id = "3f1e0c6a-7c1e-4b7e-9a53-0d5c3b1f2a10"
  essentials      = provider.essentials.us1
  microsoft       = provider.microsoft.msp
}

account "scanner" {
  tenant     = tenant.contoso
  email      = "scanner@contoso.example"
  type       = "functional_account"
  first_name = "Scanner, second floor"
  aliases    = ["copier@contoso.example"]
}
