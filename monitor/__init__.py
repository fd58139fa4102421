"""Control monitor: scheduled checks of production change controls, kept as evidence an auditor can verify offline."""

__version__ = "0.1.0"
