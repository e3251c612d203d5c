"""What every service stands on: accounts, credentials, bytes, lists and jobs. Knows no HTTP."""
