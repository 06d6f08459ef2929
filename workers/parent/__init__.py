"""The parent process: claims jobs, keeps their leases, and stands between Redis and the child. No torch."""
