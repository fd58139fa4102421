"""GitHub as a source: what an organisation's repositories are set to, and what was done to these settings."""
