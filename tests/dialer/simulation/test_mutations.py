"""The simulation can fail: each planted bug breaks a rule, by the sentence it is expected to break it with."""

import pytest

from tests.dialer.simulation.mutations import MUTATIONS, Mutation, try_out


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_the_simulation_finds_a_planted_bug(mutation: Mutation) -> None:
    _, found, said = try_out(mutation)
    assert found, f"{mutation.name}: {said}"
