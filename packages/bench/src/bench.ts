/** `pnpm bench [name …]`: side by side with the peers, all of the rows below unless named. */
import { cpus } from 'node:os'
import { benchAccess } from './access.ts'
import { benchAuth } from './auth.ts'
import { benchBroker } from './broker.ts'
import { benchCockroachStore } from './cockroach-store.ts'
import { benchCodec } from './codec.ts'
import { benchCosts } from './costs.ts'
import { benchFileStore } from './file-store.ts'
import { benchGrpc } from './grpc.ts'
import { benchHttp } from './http.ts'
import { benchImport } from './import.ts'
import { benchInProcess } from './in-process.ts'
import { benchKafka, benchKafkaPlatformatic } from './kafka.ts'
import { benchMutualTls } from './mutual-tls.ts'
import { benchNats } from './nats.ts'
import { benchPick } from './pick.ts'
import { benchRedis } from './redis.ts'
import { benchRegistry } from './registry.ts'
import { benchSecrets } from './secrets.ts'
import { benchStore } from './store.ts'
import { benchStreams } from './streams.ts'
import { benchTcp } from './tcp.ts'

const all = {
  'in-process': benchInProcess,
  http: benchHttp,
  grpc: benchGrpc,
  streams: benchStreams,
  tcp: benchTcp,
  costs: benchCosts,
  'mutual-tls': benchMutualTls,
  pick: benchPick,
  registry: benchRegistry,
  broker: benchBroker,
  kafka: benchKafka,
  'kafka-platformatic': benchKafkaPlatformatic,
  redis: benchRedis,
  nats: benchNats,
  store: benchStore,
  'file-store': benchFileStore,
  'cockroach-store': benchCockroachStore,
  access: benchAccess,
  auth: benchAuth,
  secrets: benchSecrets,
  codec: benchCodec,
  import: benchImport,
}
const named = process.argv.slice(2)

console.log(
  `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}; medians, with the spread of the rounds\n`,
)
for (const [name, run] of Object.entries(all)) {
  if (named.length > 0 && !named.includes(name)) continue
  await run()
  console.log()
}
