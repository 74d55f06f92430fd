"""What goes over HTTP: schemas, bodies, answers that are counted, keys, problems."""
