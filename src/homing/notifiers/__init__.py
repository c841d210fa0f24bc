"""Adapters of the port through which operators are told what became of publishing."""
