"""The simulated carrier: a process of its own that rings simulated people behind the subset of ARI that Galw uses.

It keeps its own ledger of rings, apart from Galw's database, so that a test can judge what was really dialed. Read
`switch.py` first: it is the whole behaviour, synchronous, and what a simulation in memory drives. `people.py` decides
what each person does, `faults.py` what goes wrong on the way, `ari.py` and `api.py` are the paths and the sockets.
"""
