"""What goes over HTTP: calls, bodies, formats, keys, problems."""
