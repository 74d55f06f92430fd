"""Where rows come from: files, datasets of Ray Data, Delta and Iceberg tables."""
