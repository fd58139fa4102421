"""The command line. A file a command group; heavy modules are imported inside commands, so that help is instant."""
