"""The `galw` command: everything an engineer or a script does, over HTTP to a running Galw or locally."""
