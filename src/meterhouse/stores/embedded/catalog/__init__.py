"""The catalog on SQLite: a module for each thing it holds."""
