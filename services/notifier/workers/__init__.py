"""The loops that the notifier starts itself."""
