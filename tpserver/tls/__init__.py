"""TLS for a server of HTTP: certificates and contexts; clients that do not encrypt. (transport/ has what encrypts.)"""
