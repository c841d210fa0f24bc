"""Use cases, and the ports that adapters fill."""
