"""Demo accounts: their passwords are printed in the documentation, so they are good on loopback and nowhere else."""

import ipaddress

from services.runtime.errors import ForbiddenError


def is_loopback(host: str) -> bool:
    """Tell whether listening on *host* reaches this machine only; a name other than localhost might not."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_demo(host: str) -> None:
    """Raise `ForbiddenError` when a demo password is used while Galw listens on *host*, unless that is loopback."""
    if not is_loopback(host):
        raise ForbiddenError(
            f"This is a demo account, and Galw listens on {host}: demo passwords work on loopback (127.0.0.1) only. "
            "Make an administrator of your own with `galw admin create`."
        )


def check_asked(host: str) -> None:
    """Raise `ForbiddenError` when a demo password is used at the name *host*, unless that is this machine's own.

    Listening on loopback is not enough: a proxy may lead there from anywhere, and so does any page in a browser here
    whose name server answers 127.0.0.1 for its own name.
    """
    if not is_loopback(host):
        raise ForbiddenError(
            f"This is a demo account, and you asked for {host or 'Galw through a proxy'}: demo passwords work at "
            "127.0.0.1 or localhost only. Make an administrator of your own with `galw admin create`."
        )
