"""Homing: dynamic DNS on your own domain. Your address moves, your name stays."""

__version__ = "0.1.0"
