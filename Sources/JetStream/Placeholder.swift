// JetStream
