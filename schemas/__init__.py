"""The contracts: Avro schemas, topics, the codec and the registry view of them."""
