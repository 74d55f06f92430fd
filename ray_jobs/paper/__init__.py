"""The paper's tables and figures as resumable Ray tasks: `gtcoder benchmark paper`."""
