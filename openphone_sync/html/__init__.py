"""Every page that this program writes: templates, escaping and content policy in one place."""
