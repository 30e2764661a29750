"""Meterhouse stores what customers consume, counts it once, and answers how much."""

__version__ = "0.1.0"
