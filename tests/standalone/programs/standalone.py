"""The standalone mode around the stand-ins."""

import sys
from pathlib import Path

from services.standalone.__main__ import Programs, main

FOLDER = Path(__file__).parent
SERVICE = (sys.executable, str(FOLDER / "service.py"))
programs = Programs(
    together=(*SERVICE, "together"),
    apart={name: (*SERVICE, name) for name in ("dialer", "crm", "notifier")},
    carrier=(sys.executable, str(FOLDER / "carrier.py")),
    demo=(),
)
sys.exit(main(programs=programs))
