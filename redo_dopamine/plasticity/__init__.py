"""Track and recycle dormant neurons in any training loop."""
