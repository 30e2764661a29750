"""Backup of meterhouse.db into a directory, and restore from it. Projections are not part of a backup."""
