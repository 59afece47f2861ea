import { jitter, unrefTimer } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import { Context, rootContext } from '../context/context.ts'
import type { MicroError } from '../errors/micro-error.ts'
import type { Route, Snapshot } from '../router/router.ts'

export interface EjectionOptions {
  /** Infrastructure failures in a row that eject a node; refusing or hanging ejects at once. @default 5 */
  readonly failures?: number
  /** Milliseconds of the first ejection; doubles for each that follows. @default 1000 */
  readonly baseTime?: number
  /** Milliseconds that no ejection exceeds. @default 30000 */
  readonly maxTime?: number
  /** Milliseconds a probe may take. @default 1000 */
  readonly probeTimeout?: number
}

/** Asks a node for a sign of life; absent where the transport has no way to. */
export type Probe = (route: Route, context: Context) => Promise<void>

interface NodeRecord {
  failures: number
  ejections: number
  timer: ReturnType<typeof setTimeout> | undefined
}

/** Takes failing nodes out of the pick for a while. */
export interface Ejection {
  succeeded(route: Route): void
  /** `certain` failures eject at once: connection refused, no answer in time. */
  failed(route: Route, snapshot: Snapshot, certain: boolean): void
  /** Forgets nodes that are not in `snapshot`. */
  retain(snapshot: Snapshot): void
  close(): void
}

/**
 * Never more than half of a snapshot's nodes at once: if most of them fail, the fault is likelier on
 * this side, and a bad node is better than none. When its time is over a node is probed in the
 * background, without putting a caller's request at risk, and comes back if it answers.
 */
export function createEjection(options: EjectionOptions, probe: Probe): Ejection {
  const limit = options.failures ?? 5
  const baseTime = options.baseTime ?? 1_000
  const maxTime = options.maxTime ?? 30_000
  const probeTimeout = options.probeTimeout ?? 1_000
  const records = new Map<Route, NodeRecord>()
  let closed = false

  const eject = (route: Route, record: NodeRecord): void => {
    route.ejected = true
    const time = Math.min(maxTime, baseTime * 2 ** record.ejections)
    record.ejections += 1
    // Jitter, so that the clients of a node do not all probe it at the same moment.
    record.timer = unrefTimer(
      setTimeout(() => void runInRoot(() => examine(route, record)), jitter(time)),
    )
  }
  const examine = async (route: Route, record: NodeRecord): Promise<void> => {
    const context = new Context(rootContext, { timeout: probeTimeout })
    try {
      await probe(route, context)
      route.ejected = false
      record.failures = 0
    } catch {
      // Still failing: out again, for longer. Nobody waits for this probe.
      if (!closed) eject(route, record)
    } finally {
      context.finish()
    }
  }

  return {
    succeeded(route) {
      const record = records.size === 0 ? undefined : records.get(route)
      // An ejected node comes back by its probe, not by a late answer.
      if (record === undefined || route.ejected) return
      records.delete(route)
    },
    failed(route, snapshot, certain) {
      if (route.ejected || closed) return
      let record = records.get(route)
      if (record === undefined) {
        record = { failures: 0, ejections: 0, timer: undefined }
        records.set(route, record)
      }
      record.failures += 1
      if (!certain && record.failures < limit) return
      const { routes } = snapshot
      const ejected = routes.reduce((count, other) => count + (other.ejected ? 1 : 0), 0)
      if (ejected + 1 > Math.floor(routes.length / 2)) return
      eject(route, record)
    },
    retain(snapshot) {
      if (records.size > 0) prune(records, snapshot)
    },
    close() {
      closed = true
      for (const { timer } of records.values()) clearTimeout(timer)
      records.clear()
    },
  }
}

/** Whether a failure says something of the node, rather than of the request. */
export function isInfrastructure(error: MicroError): boolean {
  return error.code === 'unavailable' && error.processed !== 'yes'
}

/** Forgets nodes that have left. */
function prune(records: Map<Route, NodeRecord>, snapshot: Snapshot): void {
  const present = new Set(snapshot.routes)
  for (const [route, { timer }] of records) {
    if (present.has(route)) continue
    clearTimeout(timer)
    records.delete(route)
  }
}
