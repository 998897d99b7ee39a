"""The notifier: sends messages to customers and signed webhooks to partners.

Owns templates, messages, partners' endpoints and subscriptions, deliveries and inbound messages. Hears
`notifier.requests`, `crm.consents` and every public fact; announces `notifier.deliveries` and `notifier.inbound`.
"""
