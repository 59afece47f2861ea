/** What the loss tests of Kafka set: `settings` are the brokers' addresses, with commas between them. */
export function kafkaLossOptions(settings: string) {
  return {
    brokers: settings.split(','),
    topics: { partitions: 12 },
    sessionTimeout: 2_000,
    heartbeatInterval: 100,
    maxWait: 50,
  }
}
