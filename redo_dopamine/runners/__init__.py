"""Runners: how an agent meets its environment, step by step."""
