"""The machine at home: sending an update to a server, whichever protocol it speaks."""
