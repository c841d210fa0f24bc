"""The agent as a process: its loop, its threads, its clocks, its files."""
