"""The notifier over HTTP."""

from services.notifier.api.deliveries import delivery_routes
from services.notifier.api.messages import message_routes
from services.notifier.api.partners import partner_routes
from services.notifier.api.status import status_routes
from services.notifier.api.templates import template_routes

__all__ = ["delivery_routes", "message_routes", "partner_routes", "status_routes", "template_routes"]
