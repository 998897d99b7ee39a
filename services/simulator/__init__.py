"""A discrete-event simulator of a calling floor: operators, lines, answers and waits, second by second and seeded.

It drives the very pacing functions the dialer runs (`services.dialer.domain.pacing`), and the rules of other dialers
from their published arithmetic, through the same snapshots. `floor.simulate` runs one day, `study` many with intervals,
`forecast` tells marketing what a launch would bring, `theory` holds the closed forms that keep the simulator honest.
"""
