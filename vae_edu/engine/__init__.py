"""What makes training and evaluation fast, resumable and bounded in memory; the lecture is elsewhere."""
