"""Who answers a request: files, the application, or the server itself. Each takes a request and a `Reply`."""
