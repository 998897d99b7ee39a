"""Scaffolding that knows no service: pool, migrations, outbox, consumer, HTTP, identity, live, clock, logging."""
