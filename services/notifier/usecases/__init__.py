"""What the notifier can do, one function each: load, decide, save, announce."""
