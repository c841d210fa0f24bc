"""Bytes and text to core values and back: one protocol a file, client and server half, all of it pure."""
