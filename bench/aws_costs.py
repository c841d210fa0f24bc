"""What a month costs, as `homing aws costs` prints it, beside awslabs' design.

python -m bench costs
"""

from __future__ import annotations

from click.testing import CliRunner

from homing.cli.aws_package import costs
from homing.stack.costs import Load, estimate, estimate_awslabs

WANTED = {10_000: 35.0, 1_000_000: 4_000.0}


def run() -> None:
    """Print both bills, and what is wanted of them."""
    for hosts, wanted in WANTED.items():
        print(CliRunner().invoke(costs, ["--hosts", str(hosts)], catch_exceptions=False).output)
        load = Load(hosts=hosts)
        ours, theirs = estimate(load).dollars, estimate_awslabs(load).dollars
        print(f"{hosts:,} hosts: ${ours:,.2f}, {ours / theirs:.3f} of awslabs' design; wanted under ${wanted:,.0f}\n")
