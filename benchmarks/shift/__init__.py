"""A shift of the whole Galw on predictive, judged by the carrier's own ledger and compared with the simulator."""
