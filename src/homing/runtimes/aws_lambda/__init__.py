"""Homing as Lambda functions: one answers update clients, one publishes from the stream, one serves the operator."""
