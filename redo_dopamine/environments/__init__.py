"""The environments that agents train in."""
