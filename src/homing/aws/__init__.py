"""The few AWS calls that Homing makes, signed and sent with nothing but the standard library."""
