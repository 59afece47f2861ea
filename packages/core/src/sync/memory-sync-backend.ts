import { createEventFeed, type EventFeed } from '../component/event-feed.ts'
import { unrefTimer } from '../component/timing.ts'
import { MicroError } from '../errors/micro-error.ts'
import type { Leader, LeaderChange } from './sync.ts'

interface Holder extends Leader {
  timer: ReturnType<typeof setTimeout>
  expiresAt: number
}

export interface Request {
  readonly id: string
  readonly ttl: number
  readonly granted: (token: bigint) => void
}

interface Place {
  holder: Holder | undefined
  readonly waiting: Set<Request>
}

/** What stands in for a server: the locks that several memory syncs can share. */
export class MemorySyncBackend {
  readonly #places = new Map<string, Place>()
  readonly #feeds = new Map<EventFeed<LeaderChange>, string>()
  #lastToken = 0n

  /** Grants the lock now or when its turn comes. Returns the withdrawal. */
  request(key: string, request: Request): () => void {
    const place = this.#places.get(key) ?? { holder: undefined, waiting: new Set<Request>() }
    this.#places.set(key, place)
    place.waiting.add(request)
    this.#grant(key, place)
    return () => {
      place.waiting.delete(request)
      this.#forget(key, place)
    }
  }

  /** @throws `aborted` if the lock is not that holder's. */
  renew(key: string, token: bigint, ttl: number): void {
    const place = this.#places.get(key)
    const holder = place?.holder
    if (place === undefined || holder?.token !== token || performance.now() >= holder.expiresAt) {
      throw new MicroError('aborted', 'its lease has lapsed')
    }
    clearTimeout(holder.timer)
    this.#expire(key, place, holder, ttl)
  }

  release(key: string, token: bigint): void {
    const place = this.#places.get(key)
    if (place?.holder?.token === token) this.#free(key, place)
  }

  observe(key: string, onClose: () => void): EventFeed<LeaderChange> {
    const feed = createEventFeed<LeaderChange>({
      // All changes are of one key, so that only the last is kept for a slow reader.
      keyOf: () => '',
      overflow: { leader: undefined },
      onClose: () => {
        this.#feeds.delete(feed)
        onClose()
      },
    })
    this.#feeds.set(feed, key)
    feed.push(leaderOf(this.#places.get(key)))
    return feed
  }

  #grant(key: string, place: Place): void {
    if (place.holder !== undefined) return
    const [request] = place.waiting
    if (request === undefined) return
    place.waiting.delete(request)
    this.#lastToken += 1n
    const holder = { id: request.id, token: this.#lastToken } as Holder
    place.holder = holder
    this.#expire(key, place, holder, request.ttl)
    this.#tell(key, place)
    request.granted(holder.token)
  }

  #expire(key: string, place: Place, holder: Holder, ttl: number): void {
    holder.expiresAt = performance.now() + ttl
    holder.timer = unrefTimer(setTimeout(() => this.#free(key, place), ttl))
  }

  #free(key: string, place: Place): void {
    clearTimeout(place.holder?.timer)
    place.holder = undefined
    this.#grant(key, place)
    if (place.holder === undefined) this.#tell(key, place)
    this.#forget(key, place)
  }

  #tell(key: string, place: Place): void {
    for (const [feed, observed] of this.#feeds) if (observed === key) feed.push(leaderOf(place))
  }

  #forget(key: string, place: Place): void {
    if (place.holder === undefined && place.waiting.size === 0) this.#places.delete(key)
  }
}

function leaderOf(place: Place | undefined): LeaderChange {
  const holder = place?.holder
  return { leader: holder === undefined ? undefined : { id: holder.id, token: holder.token } }
}
