"""The three services on embedded parts: PostgreSQL, broker and simulated carrier, owned by a small supervisor."""
