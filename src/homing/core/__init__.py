"""What Homing decides: pure values and functions. No I/O, clock, randomness, logging or async, ever.

Read `update.py` first.
"""
