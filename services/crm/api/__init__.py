"""The CRM's HTTP interface, one module per noun; the only place with server code."""

from services.crm.api.audiences import audience_routes
from services.crm.api.consents import consent_routes
from services.crm.api.contacts import contact_routes
from services.crm.api.imports import import_routes
from services.crm.api.responses import response_routes

__all__ = ["audience_routes", "consent_routes", "contact_routes", "import_routes", "response_routes"]
