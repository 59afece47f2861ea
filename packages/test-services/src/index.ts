/** Real servers for tests: found, or started, and ended with the tests that asked for them. */
export { type Authority, makeAuthority, rotatingTls } from './certificates.ts'
export { type Etcd, type EtcdOptions, etcdBinary, startEtcd } from './etcd.ts'
export { type EtcdCluster, startEtcdCluster } from './etcd-cluster.ts'
export { freePorts } from './free-ports.ts'
export { type Kafka, type KafkaNode, type KafkaOptions, startKafka } from './kafka.ts'
export { kafkaHome } from './kafka-target.ts'
export { type Nats, type NatsOptions, natsBinary, startNats } from './nats.ts'
export {
  type Postgres,
  type PostgresOptions,
  postgresBinaries,
  startPostgres,
} from './postgres.ts'
export { type Redis, type RedisOptions, redisBinary, startRedis } from './redis.ts'
export { type RunningServer, startServer } from './server-process.ts'
export { startTcpProxy, type TcpProxy, type Verdict } from './tcp-proxy.ts'
export { startVault, type Vault, vaultBinary } from './vault.ts'
