"""Stores: adapters of `app.ports.Store`. They decide nothing and know no protocol."""
