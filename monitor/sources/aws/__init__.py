"""AWS: the trail's log files and the trail's settings."""
