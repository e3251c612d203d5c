"""What moderators do: the queue of what waits for them, conversations, reports of abuse, promotions."""
