"""Figures, as ratios taken in one run: `make bench`, or `python -m bench http`. Not tests: nothing is timed there.

Every server and every load generator is a process of its own on loopback. These machines are noisy, so each figure is
the median of several short rounds that alternate between what is compared.
"""
