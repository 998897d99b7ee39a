"""Galw: an outbound dialer, a CRM and a notifier on Kafka and PostgreSQL."""
