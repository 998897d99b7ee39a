"""Call lifecycles through the whole, beside a bare script that writes the same rows and sends the same facts."""
