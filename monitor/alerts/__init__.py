"""Alerts: what is told of a sweep, to whom, and how it gets there. Planning is pure; sinks deliver."""
