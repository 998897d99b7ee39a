"""Print the table of every setting, made from the settings classes of all services, for the documentation."""

import importlib
import pkgutil
import sys

from pydantic_settings import BaseSettings

import services
from services.runtime.settings import settings_table


def settings_classes() -> list[type[BaseSettings]]:
    """Return every settings class of `services.*.settings`."""
    found: set[type[BaseSettings]] = set()
    for module in pkgutil.walk_packages(services.__path__, "services."):
        if module.name.endswith(".settings"):
            members = vars(importlib.import_module(module.name)).values()
            found |= {member for member in members if isinstance(member, type) and issubclass(member, BaseSettings)}
    return sorted(found - {BaseSettings}, key=lambda cls: cls.__module__ + cls.__qualname__)


if __name__ == "__main__":
    sys.stdout.write(settings_table(settings_classes()))
