"""One thin file per command: run(config, progress) -> result."""
