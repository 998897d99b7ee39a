"""The dialer: calls people and puts an operator on the line.

Owns campaigns, leads, attempts, operators' live state, pools, pacing and the decision log of the compliance gate.
Hears `crm.enrolments`, `crm.consents` and `notifier.deliveries`; announces `dialer.campaigns`, `dialer.calls`,
`dialer.responses`, `dialer.operators` and asks for messages on `notifier.requests`.
"""
