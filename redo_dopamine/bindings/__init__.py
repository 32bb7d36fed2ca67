"""What may be bound to gin names: rules, which names they are of, and their check."""
