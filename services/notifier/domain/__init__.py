"""What the notifier decides: whom to tell, how to sign, when to try again, what a reply means. Pure and synchronous."""
