"""What the platform does. Knows no HTTP, no terminal and no queue technology."""
