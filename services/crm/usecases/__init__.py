"""What the CRM can do: load, decide, save, announce; one module per noun."""
