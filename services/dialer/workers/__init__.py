"""Loops the dialer starts itself: leases, pool owners and their calls."""
