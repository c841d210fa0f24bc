"""The agent's mind: what it knows, what it makes of what happens, and what it wants done. Pure, but for its looks."""
