"""Other dialers' rules, from their published arithmetic, as policies for the simulator: one campaign, no inventions.

Each rule sees the snapshots the engine sees. Where a source leaves something open, the module's docstring says what was
taken. None of them is a measurement of the product it is named after.
"""

from services.simulator.baselines.best import Best
from services.simulator.baselines.impact import Impact
from services.simulator.baselines.ratio import FixedRatio, Progressive
from services.simulator.baselines.unicom import Predict1PI
from services.simulator.baselines.vicidial import Adapt, ViciDial

__all__ = ["Adapt", "Best", "FixedRatio", "Impact", "Predict1PI", "Progressive", "ViciDial"]
