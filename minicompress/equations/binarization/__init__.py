"""Binary networks (BI)."""
