"""Settings -> the assembled application, one file for each home. Nothing else names an adapter."""
