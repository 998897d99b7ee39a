"""Every event Galw knows, by type name."""

from services.events import crm, dialer, notifier
from services.events.envelope import Event

EVENTS: tuple[type[Event], ...] = (
    crm.ContactChanged,
    crm.ContactErased,
    crm.LeadEnrolled,
    crm.LeadWithdrawn,
    crm.ConsentChanged,
    crm.ConsentWatermark,
    dialer.CampaignChanged,
    dialer.PackChanged,
    dialer.CallAnswered,
    dialer.CallEnded,
    dialer.LeadFinished,
    dialer.ResponseRecorded,
    dialer.PersonRefused,
    dialer.OperatorStateChanged,
    notifier.MessageRequested,
    notifier.MessageDelivered,
    notifier.OptOutReceived,
    notifier.NumberOptOutReceived,
    notifier.ReplyReceived,
)

BY_TYPE: dict[str, dict[int, type[Event]]] = {}
for _event in EVENTS:
    BY_TYPE.setdefault(_event.type, {})[_event.version] = _event
