"""The world: pure, synchronous, replayable. Standard library only; no clock, chance, socket or file."""
