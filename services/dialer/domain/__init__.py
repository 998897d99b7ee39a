"""The dialer's decisions: pure, synchronous functions of state, signal and time. The part to read first."""
