"""What a standalone Galw costs while nothing happens: `python -m benchmarks.idle`.

Starts it as `make run` does, once to set it up and once more for the figures: seconds until it is ready, memory of all
processes together (PSS: shared pages counted once), and processor time, with the demo off and on.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import stack


def measure(seconds: float, *, demo: bool) -> None:
    """Print the figures of one kind of installation."""
    with tempfile.TemporaryDirectory(prefix="galw-idle-") as kept:
        settings = {"demo": str(demo).lower(), "data_dir": Path(kept) / "data", "demo_operators": 0}
        with stack.running(**settings) as running:
            print(f"demo {'on' if demo else 'off'}: first start {running.ready_s:.1f} s", flush=True)
            time.sleep(20.0 if demo else 1.0)  # the demo is made
        with stack.running(**settings) as running:
            time.sleep(12.0)
            before, began = running.costs(), time.monotonic()
            time.sleep(seconds)
            after, took = running.costs(), time.monotonic() - began
            print(f"demo {'on' if demo else 'off'}: later start {running.ready_s:.1f} s")
    print(f"  {'process':<10} {'PSS, MB':>8} {'of a core':>10}")
    rows = {name: (cost.memory_bytes / 1e6, (cost.cpu_s - before[name].cpu_s) / took) for name, cost in after.items()}
    rows["all"] = (sum(row[0] for row in rows.values()), sum(row[1] for row in rows.values()))
    for name, (memory, share) in rows.items():
        print(f"  {name:<10} {memory:>8.0f} {share:>10.1%}", flush=True)


def main() -> None:
    """Measure with the demo off, then on."""
    parser = argparse.ArgumentParser("python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to watch")
    parser.add_argument("--demo", choices=("off", "on", "both"), default="both")
    options = parser.parse_args()
    print(stack.machine())
    for demo in (False, True):
        if options.demo in ("both", "on" if demo else "off"):
            measure(options.seconds, demo=demo)


if __name__ == "__main__":
    main()
