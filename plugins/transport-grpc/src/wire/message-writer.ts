import type { Http2Stream } from 'node:http2'
import type { Awaitable } from '@micro/core/component'
import { writeWithRoom } from '@micro/core/transport'
import { writeFrame } from './frame-parser.ts'
import { compress } from './gzip.ts'

/** Writes the messages of a stream in their order, compressed where they are large enough. */
export interface MessageWriter {
  /** Resolves when there is room for another. Fails as `gone` says once the stream is over. */
  write(message: Uint8Array): Awaitable<void>
  /** Resolves, or is `undefined`, once all that was written has been handed to the stream. */
  flushed(): Promise<void> | undefined
}

export function createMessageWriter(
  stream: Http2Stream,
  compressFrom: number | false,
  gone: () => unknown,
): MessageWriter {
  /** Those that are being compressed: what comes after them waits. */
  let before: Promise<void> | undefined
  const compressLater = async (message: Uint8Array, small: boolean): Promise<void> => {
    const previous = before
    const frame = small ? writeFrame(message, false) : writeFrame(await compress(message), true)
    await previous
    await writeWithRoom(stream, frame, gone)
  }
  return {
    write(message) {
      const small = compressFrom === false || message.length < compressFrom
      if (small && before === undefined) {
        return writeWithRoom(stream, writeFrame(message, false), gone)
      }
      const work = compressLater(message, small)
      const settled = work.then(
        () => undefined,
        // The writer of that message hears of it.
        () => undefined,
      )
      before = settled
      void settled.then(() => {
        if (before === settled) before = undefined
      })
      return work
    },
    flushed: () => before,
  }
}
