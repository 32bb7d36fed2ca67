"""Gin files and bindings: read, checked, recorded."""
