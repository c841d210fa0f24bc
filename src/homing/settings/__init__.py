"""What an operator or a client may be told: TOML, the environment and flags become one frozen value."""
