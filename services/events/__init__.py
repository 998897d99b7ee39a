"""Wire contracts: one frozen pydantic model per event, topic names, versions and the CloudEvents envelope."""
