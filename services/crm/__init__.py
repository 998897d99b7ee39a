"""The CRM: keeps contacts, consent and every response, and mounts the accounts of the staff.

Owns contacts, the consent ledger and suppression, imports, audiences, enrolments, responses and the timeline. Hears the
dialer's and the notifier's facts; announces `crm.contacts`, `crm.enrolments` and `crm.consents`.
"""
