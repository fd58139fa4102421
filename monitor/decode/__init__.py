"""Pure decoding: a provider's bytes to facts. No I/O, no clock."""
