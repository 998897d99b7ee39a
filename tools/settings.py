"""Every settings class there is, in the order in which the documentation tells them."""

import importlib
import pkgutil

from pydantic_settings import BaseSettings

import services


def settings_classes() -> list[type[BaseSettings]]:
    """Return every settings class of `services.*.settings`, what all services share first."""
    found: set[type[BaseSettings]] = set()
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if module.name.endswith(".settings"):
            members = vars(importlib.import_module(module.name)).values()
            found |= {member for member in members if isinstance(member, type) and issubclass(member, BaseSettings)}
    return sorted(found - {BaseSettings}, key=_place)


def _place(settings: type[BaseSettings]) -> tuple[bool, bool, str]:
    module = settings.__module__
    return module != "services.runtime.settings", "standalone" in module, module
