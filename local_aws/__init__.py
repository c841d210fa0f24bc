"""AWS on loopback, for the tests, the benchmark and `make demo-aws`. Nothing of it is in the package.

A strict Route 53, the Lambda Runtime API with fronts that make each kind of event, an event source that reads DynamoDB
Streams, and a DNS view of what Route 53 holds. DynamoDB itself is moto's server.
"""
