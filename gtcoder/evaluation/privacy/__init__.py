"""What a synthetic table gives away of single rows."""
