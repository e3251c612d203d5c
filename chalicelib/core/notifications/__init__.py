"""Notifications for accounts: an item of the inbox in the transaction of its cause, and mails about it from jobs."""
