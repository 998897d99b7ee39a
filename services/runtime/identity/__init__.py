"""Accounts, sign-in, signing keys and tokens; who a request comes from and what that person may do."""

from services.runtime.identity.principal import Principal, Role, SignedOutError, Verifier

__all__ = ["Principal", "Role", "SignedOutError", "Verifier"]
