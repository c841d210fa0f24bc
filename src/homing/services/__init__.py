"""Having a machine run the client by itself: texts for systemd, launchd and cron, and how they are put in place."""
