"""What several tests share: networks to try, a graph probe, trees, optimizers."""
