"""Real servers without Docker: Apache Kafka, Postgres with pgvector, and Valkey, from pinned packages."""
