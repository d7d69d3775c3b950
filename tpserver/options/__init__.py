"""The options in groups, and what an option is. `config` puts the groups together."""
