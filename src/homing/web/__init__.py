"""Where a request goes: from path to protocol."""
