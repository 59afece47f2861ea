import { type Etcd, startMember } from './etcd.ts'
import { freePorts } from './free-ports.ts'
import { type PeerLink, startPeerProxy } from './peer-proxy.ts'

/** Several etcds that elect a leader. They end with this process at the latest. */
export interface EtcdCluster {
  readonly members: readonly Etcd[]
  /** The member that leads now, by its own word. @throws if none does within ten seconds. */
  leader(): Promise<Etcd>
  /**
   * Cuts a member off from the other members: what they send to each other gets lost from now on. Its
   * clients still reach it.
   */
  isolate(member: Etcd): void
  /** Ends every isolation. */
  heal(): void
  stop(): Promise<void>
}

/**
 * Starts a cluster whose members reach each other through proxies of this process, so that a test can
 * cut one off. Needs `/proc`, by which a proxy tells who connects.
 */
export async function startEtcdCluster(binary: string, size: number): Promise<EtcdCluster> {
  const pids = new Map<number, number>()
  const isolated = new Set<number>()
  const isCut = ({ from, to }: PeerLink): boolean => isolated.has(from) || isolated.has(to)
  const ports = await Promise.all(Array.from({ length: size }, () => freePorts(3)))
  const proxies = await Promise.all(
    ports.map(([, , peerPort = 0], to) => startPeerProxy({ to, target: peerPort, pids, isCut })),
  )
  const peers = proxies.map(({ port }) => `http://127.0.0.1:${port}`)
  const initialCluster = peers.map((peer, at) => `n${at}=${peer}`).join(',')
  const members = await Promise.all(
    ports.map(([clientPort = 0, healthPort = 0, peerPort = 0], at) =>
      startMember(
        binary,
        {},
        {
          name: `n${at}`,
          clientPort,
          healthPort,
          peerPort,
          advertisedPeer: peers[at] ?? '',
          initialCluster,
          electionTimeout: 1_000,
          onSpawn: (pid) => pids.set(pid, at),
        },
      ),
    ),
  )
  const statusOf = async (member: Etcd): Promise<Record<string, unknown> | undefined> =>
    await member.request('maintenance/status', {}).catch(() => undefined)

  return {
    members,
    async leader() {
      for (let attempt = 0; attempt < 500; attempt++) {
        for (const [at, member] of members.entries()) {
          if (isolated.has(at)) continue
          const status = await statusOf(member)
          const { member_id: id } = (status?.['header'] ?? {}) as { member_id?: string }
          if (id !== undefined && id === status?.['leader']) return member
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      throw new Error('no member of the cluster leads')
    },
    isolate(member) {
      isolated.add(members.indexOf(member))
      for (const proxy of proxies) proxy.update()
    },
    heal() {
      isolated.clear()
      for (const proxy of proxies) proxy.update()
    },
    async stop() {
      await Promise.all(members.map((member) => member.stop()))
      await Promise.all(proxies.map((proxy) => proxy.stop()))
    },
  }
}
