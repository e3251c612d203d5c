"""Mail: messages from templates, and their transport by SMTP or SES."""
