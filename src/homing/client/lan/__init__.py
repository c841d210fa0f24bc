"""Names for the other machines on this network: finding them, planning, telling the server."""
