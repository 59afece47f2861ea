import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from './free-ports.ts'
import { archiveOf, clusterId, javaArgs, runKafkaTool } from './kafka-target.ts'
import { type RunningServer, startServer } from './server-process.ts'

export interface KafkaOptions {
  /** Each is broker and controller; with three, one may be away. @default 1 */
  readonly nodes?: 1 | 3
  /** Serves clients over TLS, and asks them for certificates of `ca` if `clientCertificates`. */
  readonly tls?: {
    readonly ca: string
    readonly cert: string
    readonly key: string
    readonly clientCertificates?: boolean
  }
  /** Asks clients who they are, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
  readonly sasl?: { readonly user: string; readonly password: string }
  /** More of a broker's configuration. */
  readonly properties?: Readonly<Record<string, string | number>>
  /** More of Java's command line. */
  readonly javaArgs?: readonly string[]
}

/** One broker of it. */
export interface KafkaNode {
  /** For clients: `127.0.0.1:49152`. */
  readonly address: string
  kill(): Promise<void>
  /** As an operator stops it. */
  end(): Promise<void>
  /** On the same address, with the same data. */
  restart(): Promise<void>
  /** Stops it where it is: connections stay, nothing is answered. */
  pause(): void
  resume(): void
}

/** A real Kafka without ZooKeeper. It ends with this process at the latest. */
export interface Kafka {
  /** For clients. */
  readonly brokers: readonly string[]
  readonly nodes: readonly KafkaNode[]
  /** All of its brokers, in each of these. */
  kill(): Promise<void>
  restart(): Promise<void>
  pause(): void
  resume(): void
  stop(): Promise<void>
}

interface Ports {
  readonly client: number
  readonly peer: number
  readonly controller: number
}

/** Starts a Kafka, and waits until it takes requests: some three seconds. */
export async function startKafka(home: string, options: KafkaOptions = {}): Promise<Kafka> {
  const folder = await mkdtemp(join(tmpdir(), 'micro-kafka-'))
  const count = options.nodes ?? 1
  const free = await freePorts(count * 3)
  const ports = Array.from({ length: count }, (_, at): Ports => {
    const [client = 0, peer = 0, controller = 0] = free.slice(at * 3)
    return { client, peer, controller }
  })
  const servers: RunningServer[] = []
  const startNode = async (at: number): Promise<void> => {
    servers[at] = await startServer({
      command: 'java',
      args: [
        ...javaArgs,
        ...(existsSync(archiveOf(home)) ? [`-XX:SharedArchiveFile=${archiveOf(home)}`] : []),
        ...(options.javaArgs ?? []),
        ...['-cp', join(home, 'lib', '*'), 'kafka.Kafka', join(folder, `${at}.properties`)],
      ],
      ready: (line) => (line.includes('Kafka Server started') ? line : undefined),
      timeout: 60_000,
    })
  }
  const each = (work: (node: KafkaNode) => Promise<void>): Promise<unknown> =>
    Promise.all(nodes.map(work))
  const nodes = ports.map(
    ({ client }, at): KafkaNode => ({
      address: `127.0.0.1:${client}`,
      async kill() {
        await servers[at]?.stop('SIGKILL')
      },
      async end() {
        await servers[at]?.stop('SIGTERM')
      },
      async restart() {
        await servers[at]?.stop('SIGKILL')
        await startNode(at)
      },
      pause() {
        servers[at]?.process.kill('SIGSTOP')
      },
      resume() {
        servers[at]?.process.kill('SIGCONT')
      },
    }),
  )
  for (const at of ports.keys()) await formatNode(home, folder, at, ports, options)
  // None is ready before most of them are there.
  await Promise.all([...ports.keys()].map(startNode))
  return {
    brokers: nodes.map(({ address }) => address),
    nodes,
    async kill() {
      await each((node) => node.kill())
    },
    async restart() {
      await each((node) => node.restart())
    },
    pause() {
      for (const node of nodes) node.pause()
    },
    resume() {
      for (const node of nodes) node.resume()
    },
    async stop() {
      await each((node) => node.kill())
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function formatNode(
  home: string,
  folder: string,
  at: number,
  ports: readonly Ports[],
  options: KafkaOptions,
): Promise<void> {
  const data = join(folder, `data-${at}`)
  const file = join(folder, `${at}.properties`)
  const properties = { ...propertiesOf(at, ports, options), 'log.dirs': data }
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`)
  await writeFile(file, lines.join('\n'))
  if (options.sasl !== undefined) {
    // SCRAM's secrets are part of the first snapshot.
    const { user, password } = options.sasl
    const secrets = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${user},password=${password}]`,
    ])
    runKafkaTool(home, ['format', '-t', clusterId, '-c', file, ...secrets])
    return
  }
  await mkdir(data)
  await copyFile(join(home, 'bootstrap.checkpoint'), join(data, 'bootstrap.checkpoint'))
  const id = Buffer.alloc(16, at + 1).toString('base64url')
  await writeFile(
    join(data, 'meta.properties'),
    `version=1\nnode.id=${at + 1}\ncluster.id=${clusterId}\ndirectory.id=${id}\n`,
  )
}

function propertiesOf(
  at: number,
  ports: readonly Ports[],
  { tls, sasl, properties }: KafkaOptions,
): Record<string, string | number> {
  const { client = 0, peer = 0, controller = 0 } = ports[at] ?? {}
  const replication = ports.length
  const protocol = `${sasl === undefined ? '' : 'SASL_'}${tls === undefined ? 'PLAINTEXT' : 'SSL'}`
  const voters = ports.map((one, node) => `${node + 1}@127.0.0.1:${one.controller}`)
  const reachable = `CLIENT://127.0.0.1:${client},PEER://127.0.0.1:${peer}`
  return {
    'process.roles': 'broker,controller',
    'node.id': at + 1,
    'controller.quorum.voters': voters.join(','),
    listeners: `${reachable},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': reachable,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PEER',
    'listener.security.protocol.map': `CLIENT:${protocol},PEER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'auto.create.topics.enable': 'false',
    'num.partitions': 4,
    'default.replication.factor': replication,
    'min.insync.replicas': Math.min(2, replication),
    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    // Groups form at once, and tests may have short sessions.
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 500,
    // A broker that was killed is taken back soon.
    'broker.session.timeout.ms': 1_500,
    'broker.heartbeat.interval.ms': 200,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'background.threads': 2,
    'log.cleaner.dedupe.buffer.size': 4_194_304,
    ...(tls === undefined ? {} : tlsProperties(tls)),
    ...(sasl === undefined ? {} : saslProperties(sasl)),
    ...properties,
  }
}

function tlsProperties(tls: NonNullable<KafkaOptions['tls']>): Record<string, string> {
  const name = (key: string): string => `listener.name.client.ssl.${key}`
  const inline = (pem: string): string => pem.trim().replaceAll('\n', '\\n')
  return {
    [name('keystore.type')]: 'PEM',
    [name('keystore.certificate.chain')]: inline(tls.cert),
    [name('keystore.key')]: inline(tls.key),
    [name('truststore.type')]: 'PEM',
    [name('truststore.certificates')]: inline(tls.ca),
    [name('client.auth')]: tls.clientCertificates === true ? 'required' : 'none',
  }
}

function saslProperties(sasl: NonNullable<KafkaOptions['sasl']>): Record<string, string> {
  const login = 'org.apache.kafka.common.security'
  return {
    'listener.name.client.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.client.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${sasl.user}="${sasl.password}";`,
    'listener.name.client.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.client.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
  }
}
