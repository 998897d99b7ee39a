"""What the dialer can do: load, decide, save, announce."""
