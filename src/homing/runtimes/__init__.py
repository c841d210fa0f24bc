"""Where Homing runs: each module turns what its host calls a request into `protocols.http.Request`, and back."""
