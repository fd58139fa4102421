"""Settings: where the monitor's own things are kept, and how it reads. Read once, in the CLI, and passed down.

`{state}` stands for the state folder; relative paths are relative to the configuration's folder. Only the environment's
mapping that is passed in is looked at, never the process's own.
"""

from monitor.settings.loading import (
    ENVIRONMENT,
    GITHUB_APP_KEY,
    GITHUB_TOKEN,
    Config,
    load_config,
    load_settings,
    schemas,
)
from monitor.settings.sections import Settings

__all__ = [
    "ENVIRONMENT",
    "GITHUB_APP_KEY",
    "GITHUB_TOKEN",
    "Config",
    "Settings",
    "load_config",
    "load_settings",
    "schemas",
]
