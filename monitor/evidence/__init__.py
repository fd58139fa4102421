"""The evidence room: an append-only log with signed checkpoints, the bytes it cites, and the offline proof of both."""
