"""The CRM's pure heart: contacts, attributes, audiences, the consent ledger and the reading of contact files."""
