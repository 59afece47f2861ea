import { unrefTimer } from '../component/timing.ts'
import { runInRoot } from '../context/ambient.ts'
import { MicroError } from '../errors/micro-error.ts'
import { hashText } from '../selector/hash.ts'
import type { BrokerMessage, Deliver, Delivery, Settlement } from './broker.ts'

export interface MemoryBrokerLimits {
  /** Bytes of one message's body. @default 1 MiB */
  readonly messageBytes?: number | undefined
  /** Messages that wait in one group of one topic. @default 100000 */
  readonly queued?: number | undefined
  /** Lanes of each group: how many keys are handled at once at most. @default 16 */
  readonly lanes?: number | undefined
}

/** One open subscription. */
export interface Member {
  readonly deliver: Deliver
  readonly batch: number
  paused: boolean
  /** Gone: what it still settles no longer counts. */
  cutOff: boolean
  running: number
  onIdle: (() => void) | undefined
}

interface Queued {
  readonly delivery: Delivery
  failures: number
}

interface Lane {
  readonly name: string
  /** Those before `done` have been settled. */
  queue: Queued[]
  done: number
  state: 'idle' | 'delivering' | 'waiting'
  member: Member | undefined
  timer: ReturnType<typeof setTimeout> | undefined
}

interface Group {
  readonly retained: boolean
  readonly members: Set<Member>
  readonly lanes: readonly Lane[]
  queued: number
  nextLane: number
}

/** What stands in for a server: the topics that several memory brokers can share. */
export class MemoryBrokerBackend {
  readonly #topics = new Map<string, Map<string, Group>>()
  readonly #messageBytes: number
  readonly #limit: number
  readonly #laneCount: number
  #sequence = 0

  constructor(limits: MemoryBrokerLimits = {}) {
    this.#messageBytes = limits.messageBytes ?? 2 ** 20
    this.#limit = limits.queued ?? 100_000
    this.#laneCount = limits.lanes ?? 16
  }

  /** All of the messages or none. */
  publish(topic: string, messages: readonly BrokerMessage[]): void {
    const groups = this.#topics.get(topic)
    for (const { body } of messages) {
      if (body.length > this.#messageBytes) {
        throw new MicroError(
          'resource_exhausted',
          `message: ${body.length} bytes; this broker takes at most ${this.#messageBytes} (limits.messageBytes)`,
        )
      }
    }
    for (const group of groups?.values() ?? []) {
      if (group.queued + messages.length > this.#limit) {
        throw new MicroError(
          'resource_exhausted',
          `topic ${topic}: a group has ${group.queued} messages waiting, of at most ${this.#limit} (limits.queued)`,
        )
      }
    }
    for (const message of messages) this.#enqueue(groups, message)
  }

  join(topic: string, group: string | undefined, member: Member): () => void {
    const groups = this.#topics.get(topic) ?? new Map<string, Group>()
    this.#topics.set(topic, groups)
    const name = group === undefined ? `\n${++this.#sequence}` : `${group}`
    const joined = groups.get(name) ?? this.#makeGroup(group !== undefined)
    groups.set(name, joined)
    joined.members.add(member)
    this.#pumpAll(joined)
    return () => {
      joined.members.delete(member)
      if (!joined.retained) groups.delete(name)
      else this.#pumpAll(joined)
    }
  }

  /** Has the lanes looked at again: a member has resumed. */
  wake(topic: string): void {
    for (const group of this.#topics.get(topic)?.values() ?? []) this.#pumpAll(group)
  }

  /** As a crash would: what the member has in hand is delivered again, to others. */
  cutOff(topic: string, member: Member): void {
    member.cutOff = true
    for (const group of this.#topics.get(topic)?.values() ?? []) {
      for (const lane of group.lanes) {
        if (lane.member !== member) continue
        const first = lane.queue[lane.done]
        if (first !== undefined) first.failures += 1
        lane.member = undefined
        lane.state = 'idle'
      }
    }
  }

  #makeGroup(retained: boolean): Group {
    const lanes = Array.from({ length: this.#laneCount }, (_, at): Lane => {
      const rest = { state: 'idle', member: undefined, timer: undefined } as const
      return { name: String(at), queue: [], done: 0, ...rest }
    })
    return { retained, members: new Set(), lanes, queued: 0, nextLane: 0 }
  }

  #enqueue(groups: Map<string, Group> | undefined, message: BrokerMessage): void {
    const delivery: Delivery = {
      // Copied, since the publisher may go on using its own; `slice` of a Node `Buffer` copies nothing.
      body: new Uint8Array(message.body),
      key: message.key,
      headers: { ...message.headers },
      id: String(++this.#sequence),
      timestamp: Date.now(),
    }
    for (const group of groups?.values() ?? []) {
      const at = delivery.key === undefined ? group.nextLane++ : hashText(delivery.key)
      const lane = group.lanes[at % group.lanes.length] as Lane
      lane.queue.push({ delivery, failures: 0 })
      group.queued += 1
      this.#pump(group, lane)
    }
  }

  #pumpAll(group: Group): void {
    for (const lane of group.lanes) this.#pump(group, lane)
  }

  #pump(group: Group, lane: Lane): void {
    if (lane.state !== 'idle' || lane.done === lane.queue.length) return
    const member = leastBusy(group.members)
    if (member === undefined) return
    lane.state = 'delivering'
    lane.member = member
    member.running += 1
    // Never within the publisher's call, nor in its context; and with what it publishes at once.
    const settled = runInRoot(async () => {
      await null
      return member.cutOff ? [] : member.deliver(lane.name, takeBatch(lane, member.batch))
    })
    const settle = (settlements: readonly Settlement[]): void =>
      this.#settle(group, lane, member, settlements)
    settled.then(settle, () => settle([{ retryAfter: 1_000 }]))
  }

  #settle(group: Group, lane: Lane, member: Member, settlements: readonly Settlement[]): void {
    member.running -= 1
    if (member.running === 0) member.onIdle?.()
    if (lane.member !== member || member.cutOff) return
    lane.member = undefined
    lane.state = 'idle'
    for (const settlement of settlements) {
      if (typeof settlement === 'object') {
        const failed = lane.queue[lane.done]
        if (failed !== undefined) failed.failures += 1
        lane.state = 'waiting'
        lane.timer = unrefTimer(
          setTimeout(() => {
            lane.state = 'idle'
            this.#pump(group, lane)
          }, settlement.retryAfter),
        )
        break
      }
      lane.done += 1
      group.queued -= 1
    }
    dropSettled(lane)
    this.#pump(group, lane)
  }
}

function takeBatch(lane: Lane, size: number): Delivery[] {
  const waiting = lane.queue.slice(lane.done, lane.done + size)
  return waiting.map(({ delivery, failures }) => ({
    ...delivery,
    // Copied, since a handler may keep and change what it gets.
    body: new Uint8Array(delivery.body),
    headers: { ...delivery.headers },
    attempt: failures + 1,
  }))
}

/** Not one by one, which would move a long queue each time. */
function dropSettled(lane: Lane): void {
  if (lane.done < lane.queue.length && lane.done < 1_024) return
  lane.queue = lane.queue.slice(lane.done)
  lane.done = 0
}

function leastBusy(members: ReadonlySet<Member>): Member | undefined {
  let best: Member | undefined
  for (const member of members) {
    if (member.paused || member.cutOff) continue
    if (best === undefined || member.running < best.running) best = member
  }
  return best
}
