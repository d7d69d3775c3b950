"""What `--reload` does besides starting processes: watches files, and has the browser load its page again."""
