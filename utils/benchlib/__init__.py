"""The parts of utils/bench."""
