import type { MethodKind } from '../definition/definition.ts'

/** Messages that are kept until the server has answered, so that another node can be sent them. */
const keptMessages = 16

/** A caller's messages, read as they are sent, and the first few again for another attempt. */
export interface Replay {
  next(): Promise<IteratorResult<unknown>>
  /** Begins again at the first message; false if that is no longer kept. */
  restart(): boolean
  /** No further attempt will be made. */
  forget(): void
  /** Ends the caller's source if it was not read to its end. */
  release(): void
}

export function createReplay(kind: MethodKind, input: unknown): Replay {
  const streams = kind === 'client_stream' || kind === 'bidi_stream'
  const source = streams ? iteratorOf(input) : [input][Symbol.iterator]()
  const kept: IteratorResult<unknown>[] = []
  let at = 0
  let keeping = true
  let ended = false

  const forget = (): void => {
    keeping = false
    kept.length = 0
  }
  return {
    forget,
    async next() {
      const known = kept[at]
      if (known !== undefined) {
        at += 1
        return known
      }
      const message = await source.next()
      ended = message.done === true
      if (kept.length >= keptMessages) forget()
      if (keeping) {
        kept.push(message)
        at += 1
      }
      return message
    },
    restart() {
      at = 0
      return keeping
    },
    release() {
      forget()
      if (ended) return
      ended = true
      // A source stuck in an await gets to its `finally` only when that settles, so it is not
      // waited for; what it throws then has no one left to hear it.
      Promise.resolve(source.return?.()).catch(() => undefined)
    },
  }
}

function iteratorOf(input: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  const source = input as AsyncIterable<unknown> | Iterable<unknown>
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
}
