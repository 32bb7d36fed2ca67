"""What every command shares: flags, paths, exit statuses, signals."""
