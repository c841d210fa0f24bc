"""Handlers to measure Homing's beside: each answers awslabs v3's POST from a function URL, and nothing else.

Throw-away: no retries, no log, no check of what comes in. They show what the least costs, not what would do. They are
copied to a folder and run from there by name, without the packages of this machine; see `bench/aws_handlers.py`.
"""
